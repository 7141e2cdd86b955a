import type { TreatmentRule } from '../forwarding/forwarder.ts';
import type { AddressEntity, Distribution } from '../management/entities.ts';
import { Treatment } from '../routing/route-table.ts';

const treatments: Readonly<Record<Distribution, Treatment>> = {
  multicast: Treatment.multicastOnce,
  closest: Treatment.closest,
  balanced: Treatment.balanced,
  unavailable: Treatment.unavailable,
};

/**
 * The treatment of addresses as configured. Tokens are separated by `.` or `/`; a prefix matches whole tokens at the start, a pattern
 * has `*` for one token and `#` for any number. The longest literal match wins, as in skupper-router.
 */
export function treatmentRule(addresses: readonly AddressEntity[], defaultDistribution: Distribution): TreatmentRule {
  const rules = addresses.map((entity) => ({
    tokens: tokensOf(entity.pattern ?? `${entity.prefix ?? ''}/#`),
    result: { treatment: treatments[entity.distribution], priority: entity.priority },
  }));
  const fallback = defaultDistribution === 'balanced' ? undefined : { treatment: treatments[defaultDistribution], priority: undefined };
  if (rules.length === 0) return () => fallback;
  return (address) => {
    const tokens = tokensOf(address);
    let best: (typeof rules)[number] | undefined;
    let bestRank = -1;
    for (const rule of rules) {
      if (!matches(rule.tokens, 0, tokens, 0)) continue;
      const rank = rule.tokens.filter((token) => token !== '*' && token !== '#').length * 1000 + rule.tokens.length;
      if (rank > bestRank) {
        best = rule;
        bestRank = rank;
      }
    }
    return best?.result ?? fallback;
  };
}

function tokensOf(text: string): readonly string[] {
  return text.split(/[./]/).filter((token) => token !== '');
}

function matches(pattern: readonly string[], at: number, tokens: readonly string[], position: number): boolean {
  if (at === pattern.length) return position === tokens.length;
  const token = pattern[at];
  if (token === '#') {
    for (let next = position; next <= tokens.length; next++) if (matches(pattern, at + 1, tokens, next)) return true;
    return false;
  }
  if (position === tokens.length || (token !== '*' && token !== tokens[position])) return false;
  return matches(pattern, at + 1, tokens, position + 1);
}

/** The distribution's name of a treatment, as management shows it. */
export function distributionOf(treatment: Treatment): Distribution {
  switch (treatment) {
    case Treatment.closest:
      return 'closest';
    case Treatment.balanced:
      return 'balanced';
    case Treatment.unavailable:
      return 'unavailable';
    default:
      return 'multicast';
  }
}
