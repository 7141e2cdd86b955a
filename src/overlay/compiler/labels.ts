import type { Labels } from '../resources/resource-types.ts';

/** Of one endpoint: more would not fit into a record of the catalog. */
export const labelLimits = { labels: 64, nameCharacters: 128, valueCharacters: 63 } as const;

/** Equal for equal sets of labels, whatever their order. */
export function labelsText(labels: Labels): string {
  const sorted = Object.entries(labels).sort(([one], [other]) => (one < other ? -1 : 1));
  return JSON.stringify(sorted);
}

/** Whether the labels have all that the selector wants; an empty one wants nothing. */
export function doesSelect(selector: Labels, labels: Labels): boolean {
  for (const [name, value] of Object.entries(selector)) if (!Object.hasOwn(labels, name) || labels[name] !== value) return false;
  return true;
}

/** What is wrong with labels that come from outside; undefined when nothing is. */
export function labelsProblem(labels: Readonly<Record<string, unknown>>): string | undefined {
  const entries = Object.entries(labels);
  if (entries.length > labelLimits.labels) return `has more than ${labelLimits.labels} labels`;
  for (const [name, value] of entries) {
    if (name === '' || name.length > labelLimits.nameCharacters) return `names have 1 to ${labelLimits.nameCharacters} characters`;
    if (typeof value !== 'string' || value.length > labelLimits.valueCharacters) {
      return `'${name}' must be a text of at most ${labelLimits.valueCharacters} characters`;
    }
  }
  return undefined;
}

/** A record of the catalog as labels; undefined when it is none. */
export function labelsIn(value: unknown): Labels | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const labels = value as Readonly<Record<string, unknown>>;
  return labelsProblem(labels) === undefined ? (labels as Labels) : undefined;
}
