import { isOwnTelemetry } from '../base/telemetry-address.ts';
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
  const rules = addresses.map((entity) => {
    const tokens = tokensOf(entity.pattern ?? `${entity.prefix ?? ''}/#`);
    return {
      tokens,
      rank: tokens.filter((token) => token !== '*' && token !== '#').length * 1000 + tokens.length,
      result: { treatment: treatments[entity.distribution], priority: entity.priority },
    };
  });
  const fallback = defaultDistribution === 'balanced' ? undefined : { treatment: treatments[defaultDistribution], priority: undefined };
  return (address) => {
    const telemetry = telemetryTreatment(address);
    if (telemetry !== undefined) return telemetry;
    if (rules.length === 0) return fallback;
    const tokens = tokensOf(address);
    let best: (typeof rules)[number] | undefined;
    for (const rule of rules) if (rule.rank > (best?.rank ?? -1) && matches(rule.tokens, tokens)) best = rule;
    return best?.result ?? fallback;
  };
}

const toldToAll = { treatment: Treatment.multicastOnce, priority: undefined } as const;
const toOneSource = { treatment: Treatment.closest, priority: undefined } as const;

/** Addresses of flow records are treated as everywhere, whatever is configured. */
function telemetryTreatment(address: string): ReturnType<TreatmentRule> {
  if (address.startsWith('mc/sfe.')) return toldToAll;
  return isOwnTelemetry(address) ? toOneSource : undefined;
}

function tokensOf(text: string): readonly string[] {
  return text.split(/[./]/).filter((token) => token !== '');
}

/** Only the last `#` is ever tried again with one token more: the work is at most pattern times address, whoever made them. */
function matches(pattern: readonly string[], tokens: readonly string[]): boolean {
  let at = 0;
  let position = 0;
  let hash = -1;
  let hashPosition = 0;
  while (position < tokens.length) {
    const token = pattern[at];
    if (token === '#') {
      hash = at++;
      hashPosition = position;
    } else if (token !== undefined && (token === '*' || token === tokens[position])) {
      at++;
      position++;
    } else if (hash >= 0) {
      at = hash + 1;
      position = ++hashPosition;
    } else return false;
  }
  while (pattern[at] === '#') at++;
  return at === pattern.length;
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
