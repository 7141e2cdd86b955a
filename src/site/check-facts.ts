import type { HealthCode } from './health-codes.ts';
import type { HealthObservation, NeighbourProbe } from './health-observation.ts';

/** Lines about one check; a site with hundreds of links need not tell of each. */
const maxFacts = 8;

/** What a check has seen, a line each, by its code. */
export type CheckFacts = ReadonlyMap<HealthCode, readonly string[]>;

/** What `van check` has seen that is as it should be: so that who reads it knows what was looked at. */
export function checkFacts({ probes, trust, clocks, timeText, site }: HealthObservation): CheckFacts {
  const facts = new Map<HealthCode, readonly string[]>();
  const tell = (code: HealthCode, lines: readonly string[]): void => {
    if (lines.length === 0) return;
    const more = lines.length > maxFacts ? [`and ${lines.length - maxFacts} more`] : [];
    facts.set(code, [...lines.slice(0, maxFacts), ...more]);
  };
  const { links = [], servers = [], neighbours = [] } = probes ?? {};
  const known = new Map(
    [...clocks, ...[...links, ...neighbours].flatMap(({ clock }) => clock ?? [])].map((clock) => [clock.routerId, clock]),
  );
  tell(
    'clock-differs',
    [...known.values()].map(
      ({ name, aheadMs, uncertaintyMs }) => `${name}: ${signed(aheadMs / 1000)} s (± ${(uncertaintyMs / 1000).toFixed(2)} s)`,
    ),
  );
  if (trust.membershipEndsAtMs !== undefined) tell('membership-ended', [`until ${timeText(trust.membershipEndsAtMs)}`]);
  if (trust.leafExpiresAtMs !== undefined) tell('certificate-ended', [`until ${timeText(trust.leafExpiresAtMs)}`]);
  tell(
    'link-endpoint-unreachable',
    links.map(({ link, place, evidence }) => `${place} of link ${link}: ${evidence}`),
  );
  const answered = neighbours.filter(({ outcome }) => outcome === 'answered');
  tell('link-one-sided', answered.map(endsText));
  tell(
    'neighbour-silent',
    answered.map(({ name, roundTripMs }) => `${name}: ${(roundTripMs ?? 0).toFixed(1)} ms there and back`),
  );
  tell('version-differs', [site.version]);
  tell(
    'connector-server-down',
    servers.map(({ connector, place }) => `${connector} at ${place}`),
  );
  return facts;
}

function endsText({ name, costHere, costThere, uptimeMs }: NeighbourProbe): string {
  const cost =
    costHere === costThere
      ? `cost ${costHere ?? 'unknown'} at both ends`
      : `cost ${costHere ?? 'unknown'} here, ${costThere ?? 'unknown'} there`;
  return `${name}: ${cost}, up for ${uptimeText(uptimeMs)}`;
}

function uptimeText(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}

function signed(seconds: number): string {
  const text = Math.abs(seconds).toFixed(2);
  return `${seconds < 0 && Number(text) > 0 ? '-' : '+'}${text}`;
}
