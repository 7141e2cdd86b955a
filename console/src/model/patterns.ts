import { visibleName } from '../format/visible-name.ts';

/** Address patterns of a grant as a person reads them; null where there is no grant. */
export function patternsText(patterns: readonly string[] | null): string | null {
  if (patterns === null) return null;
  if (patterns.includes('*')) return 'every address';
  return patterns.length === 0 ? 'nothing' : patterns.map(visibleName).join(', ');
}
