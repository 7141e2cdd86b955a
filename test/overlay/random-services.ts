/** Random services for the random tables, and translations that are there already, as the next packet will ask for them. */
import { endpointFlag, endpointKind, type Endpoint } from '../../src/overlay/layout/endpoint.ts';
import { portFlag, type Port } from '../../src/overlay/layout/port.ts';
import { backendFlag, backendSlots, type Backend, type BackendState, type Service } from '../../src/overlay/layout/service.ts';
import { flowDirection, translationState, type Translation } from '../../src/overlay/layout/translation.ts';
import { backendName, serviceName, type ServiceTables } from '../../src/overlay/model/service.ts';
import type { Tables } from '../../src/overlay/model/tables.ts';
import { isIpv4, parseAddress } from '../../src/overlay/packet/address.ts';
import type { SeededRandom } from '../../src/sim/seeded-random.ts';
import { flowKeyOf } from './kernel-services.ts';
import { portPool } from './random-policies.ts';
import { ipv4Pool, ipv6Pool, noAddress } from './random-tables.ts';

/** Where packets often go. */
const fronts = ['10.0.0.2', '10.0.0.3', '10.0.0.5', '10.0.1.2', '10.0.9.9', 'fd00::2', 'fd00::3', 'fd00:0:0:1::2', 'fd00:9::9'].map(
  (text) => parseAddress(text)!,
);
const serviceIds: readonly number[] = [1, 2, 3, 4];
/** The backends of a service are of its own family. */
const idsOf = (isOfIpv4: boolean): readonly number[] => serviceIds.filter((id) => id <= 2 === isOfIpv4);
const generations: readonly number[] = [1, 2];

/** The tables, of which half have services, and ports and endpoints whose VPC has them. */
export function withRandomServices(random: SeededRandom, tables: Tables, vnis: readonly number[]): Tables {
  if (random.chance(0.4)) return tables;
  const marked = <T extends { readonly flags: number }>(record: T, flag: number): T => ({
    ...record,
    flags: record.flags | (random.chance(0.9) ? flag : 0),
  });
  return {
    ...tables,
    ports: new Map([...tables.ports].map(([ifindex, port]): [number, Port] => [ifindex, marked(port, portFlag.hasServices)])),
    endpoints: new Map(
      [...tables.endpoints].map(([name, endpoint]): [string, Endpoint] => [
        name,
        endpoint.kind === endpointKind.local ? marked(endpoint, endpointFlag.hasServices) : endpoint,
      ]),
    ),
    services: randomServices(random, vnis),
  };
}

function randomServices(random: SeededRandom, vnis: readonly number[]): ServiceTables {
  const services = new Map<string, Service>();
  const backends = new Map<string, BackendState>();
  const backendTables = new Map<number, Backend[]>();
  for (const serviceId of serviceIds) {
    for (const address of [...ipv4Pool, ...ipv6Pool]) {
      for (const port of portPool)
        if (random.chance(0.4)) backends.set(backendName({ serviceId, address, port }), { flags: random.pick(Object.values(backendFlag)) });
    }
    const pool = idsOf(true).includes(serviceId) ? ipv4Pool : ipv6Pool;
    const some = Array.from({ length: 1 + random.below(3) }, () => ({ address: random.pick(pool), port: random.pick(portPool), flags: 0 }));
    const slot = (): Backend => (random.chance(0.05) ? { address: noAddress, port: 0, flags: 0 } : random.pick(some));
    backendTables.set(serviceId, Array.from({ length: backendSlots }, slot));
  }
  for (const vni of vnis) {
    for (const address of fronts) {
      const record = (): Service => ({
        serviceId: random.pick(idsOf(isIpv4(address))),
        tableId: random.pick(idsOf(isIpv4(address))),
        generation: random.pick(generations),
        flags: random.below(2),
        backends: random.chance(0.9) ? 3 : 0,
      });
      if (random.chance(0.9)) services.set(serviceName({ vni, address, port: 0, protocol: 0 }), record());
      for (const protocol of [1, 58]) if (random.chance(0.7)) services.set(serviceName({ vni, address, port: 0, protocol }), record());
      for (const protocol of [6, 17])
        for (const port of portPool) if (random.chance(0.85)) services.set(serviceName({ vni, address, port, protocol }), record());
    }
  }
  return { services, backendTables, backends, translations: new Map() };
}

/** Translations that `run` asks for and does not find, some of which are there. */
export function knownTranslations(
  random: SeededRandom,
  tables: Tables,
  nowNs: bigint,
  run: (tables: Tables) => void,
): ReadonlyMap<string, Translation> {
  const known = new Map<string, Translation>();
  const { services } = tables;
  if (services === undefined || random.chance(0.4)) return known;
  // What is found leads to further questions: the answers of a flow.
  for (let rounds = 0; rounds < 2; rounds++) {
    const asked = new AskedTranslations([...services.translations, ...known]);
    run({ ...tables, services: { ...services, translations: asked } });
    for (const name of asked.missing) if (random.chance(0.4)) known.set(name, randomTranslation(random, name, nowNs));
  }
  return known;
}

class AskedTranslations extends Map<string, Translation> {
  readonly missing = new Set<string>();

  override get(name: string): Translation | undefined {
    const translation = super.get(name);
    if (translation === undefined) this.missing.add(name);
    return translation;
  }
}

function randomTranslation(random: SeededRandom, name: string, nowNs: bigint): Translation {
  const { source, destination, direction } = flowKeyOf(name);
  const pool = isIpv4(source) ? ipv4Pool : ipv6Pool;
  return {
    usedNs: nowNs - random.pick([0n, 0n, 20_000_000_000n, 100_000_000_000n, 7_300_000_000_000n]),
    serviceId: random.pick(serviceIds),
    generation: random.pick(generations),
    address: random.pick([...pool, ...fronts.filter((front) => isIpv4(front) === isIpv4(source)), destination]),
    port: random.pick(portPool),
    // It lies with the answers. Rarely they are to the backend itself: that ends the way of many packets.
    state: direction === flowDirection.forward ? 0 : random.below(4) + (random.chance(0.2) ? translationState.hairpin : 0),
  };
}
