/** Random rules for the random tables, and flows that are known already, as the next packet will ask for them. */
import { endpointFlag, type Endpoint } from '../../src/overlay/layout/endpoint.ts';
import {
  policyDirection,
  policyPeer,
  policyPrefixLength,
  prefixBitsBeforeAddress,
  type FlowState,
  type PolicyKey,
  type PolicyPrefixKey,
  type PolicyScope,
} from '../../src/overlay/layout/policy.ts';
import { portFlag, type Port } from '../../src/overlay/layout/port.ts';
import { noPolicies, scopeName, type PolicyTables } from '../../src/overlay/model/policy.ts';
import type { Tables } from '../../src/overlay/model/tables.ts';
import { parseAddress } from '../../src/overlay/packet/address.ts';
import type { SeededRandom } from '../../src/sim/seeded-random.ts';

/** Ports that packets often have, so that rules and flows are hit. */
export const portPool: readonly number[] = [53, 80, 81, 1000, 2000];

const identities = 4;
const classes = [policyPeer.firstClass, policyPeer.firstClass + 1, policyPeer.firstClass + 2];
const prefixes = ['10.0.0.0/104', '10.0.0.0/120', '10.0.0.2/127', '10.0.0.3/128', '::/0', 'fd00::/64', 'fd00::2/127', '198.51.100.0/120'];

/** The tables, of which half have policies: rules for `vnis`, and ports and endpoints that are subject to them. */
export function withRandomPolicies(random: SeededRandom, tables: Tables, vnis: readonly number[]): Tables {
  if (random.chance(0.4)) return tables;
  const marked = <T extends { readonly flags: number; readonly identity: number }>(record: T, flag: number): T => ({
    ...record,
    flags: record.flags | (random.chance(0.8) ? flag : 0),
    identity: random.below(identities),
  });
  return {
    ...tables,
    ports: new Map([...tables.ports].map(([ifindex, port]): [number, Port] => [ifindex, marked(port, portFlag.hasPolicies)])),
    endpoints: new Map(
      [...tables.endpoints].map(([name, endpoint]): [string, Endpoint] => [name, marked(endpoint, endpointFlag.hasPolicies)]),
    ),
    policy: randomPolicies(random, vnis),
  };
}

function randomPolicies(random: SeededRandom, vnis: readonly number[]): PolicyTables {
  const scopes = new Map<string, PolicyScope>();
  const rules = new Map<string, PolicyKey>();
  const found = new Map<string, { readonly key: PolicyPrefixKey; readonly peer: number }>();
  const directions = Object.values(policyDirection);
  for (const vni of vnis) {
    for (let subject = 0; subject < identities; subject++) {
      if (random.chance(0.8)) scopes.set(scopeName(vni, subject), { revision: 1 + random.below(2), restricted: random.below(4) });
      for (let rule = random.below(5); rule > 0; rule--) {
        const key = randomRule(random, vni, subject, random.pick(directions));
        rules.set(JSON.stringify(key), key);
      }
      for (let prefix = random.below(5); prefix > 0; prefix--) {
        const direction = random.pick(directions);
        const [text, bits] = random.pick(prefixes).split('/');
        const key = { prefixLength: prefixBitsBeforeAddress + Number(bits), vni, subject, direction, address: parseAddress(text!)! };
        found.set(JSON.stringify(key), { key, peer: random.pick(classes) });
      }
    }
  }
  return { ...noPolicies, rules: [...rules.values()], prefixes: [...found.values()], scopes };
}

function randomRule(random: SeededRandom, vni: number, subject: number, direction: number): PolicyKey {
  const { everybody, gateway } = policyPeer;
  const peer = random.pick([0, 1, 2, 3, everybody, gateway, ...classes]);
  const { anyProtocol, protocol, port } = policyPrefixLength;
  const prefixLength = random.pick([anyProtocol, protocol, port, protocol + random.below(16)]);
  const rule = { prefixLength, vni, subject, peer, direction, protocol: random.pick([1, 6, 17, 58, 132]), port: random.pick(portPool) };
  // What does not count is 0, so that a prefix has one name.
  if (prefixLength === anyProtocol) return { ...rule, protocol: 0, port: 0 };
  return { ...rule, port: rule.port & ~(0xffff >>> (prefixLength - protocol)) & 0xffff };
}

/** Flows that `run` asks for and does not find, some of them known: to the endpoint that is there, or to one that was there before. */
export function knownFlows(
  random: SeededRandom,
  tables: Tables,
  nowNs: bigint,
  run: (tables: Tables) => void,
): ReadonlyMap<string, FlowState> {
  if (tables.policy === undefined || random.chance(0.4)) return new Map();
  const asked = new AskedFlows(tables.policy.flows);
  run({ ...tables, policy: { ...tables.policy, flows: asked } });
  const generations = [...tables.ports.values(), ...tables.endpoints.values()].map(({ generation }) => generation);
  const known = new Map<string, FlowState>();
  for (const name of asked.missing) if (random.chance(0.5)) known.set(name, randomState(random, random.pick(generations), nowNs));
  return known;
}

class AskedFlows extends Map<string, FlowState> {
  readonly missing = new Set<string>();

  override get(name: string): FlowState | undefined {
    const state = super.get(name);
    if (state === undefined) this.missing.add(name);
    return state;
  }
}

function randomState(random: SeededRandom, generation: number, nowNs: bigint): FlowState {
  const { unknown } = policyPeer;
  return {
    usedNs: nowNs - random.pick([0n, 0n, 20_000_000_000n, 100_000_000_000n, 7_300_000_000_000n]),
    revision: random.below(3),
    generation,
    subject: random.below(identities),
    peer: random.pick([0, 1, 2, 3, unknown]),
    state: random.below(8),
  };
}
