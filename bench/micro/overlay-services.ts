/**
 * What computing the records of services takes, by what has changed: `node bench/micro/overlay-services.ts`.
 *
 * One host's compiler in memory, with services that have a backend at each of some other hosts. Writing what follows into the kernel is not
 * part of it.
 */
import { parseArgs } from 'node:util';
import { Catalog } from '../../src/overlay/catalog/catalog.ts';
import { TenantCompiler, type TenantChanges } from '../../src/overlay/compiler/tenant-compiler.ts';
import { addressHex } from '../../src/overlay/control/address.ts';
import type { Service } from '../../src/overlay/resources/tenant-network.ts';
import { SeededRandom } from '../../src/sim/seeded-random.ts';

const { values } = parseArgs({
  options: {
    services: { type: 'string', default: '1000' },
    hosts: { type: 'string', default: '10' },
    changes: { type: 'string', default: '200' },
  },
});
const count = Number(values.services);
const hosts = Number(values.hosts);
const changes = Number(values.changes);
const vpcs = [{ name: 'red', vni: 7, peers: [] }];
const dead = new Set<number>();
const catalog = new Catalog({ hostId: 1, random: new SeededRandom(1), stored: [], nowMs: 0 });
const compiler = new TenantCompiler({
  hostId: 1,
  catalog,
  lifeOf: (hostId) => (dead.has(hostId) ? 'silent' : 'alive'),
  isHost: () => true,
  hasLeft: () => false,
  today: () => 0,
});

const services = Array.from({ length: count }, (_, at): Service => ({
  name: `s${at}`,
  vpc: 'red',
  addresses: [addressHex(`10.200.${at >> 8}.${at & 255}`)],
  ports: [{ protocol: 'tcp', port: 80, targetPort: 8080 }],
  selector: { app: `a${at}` },
  affinity: 'none',
}));

function slice(service: number, hostId: number, last: number): void {
  catalog.set(`slice/red/s${service}/${hostId}`, { ready: [`10.${hostId}.${service >> 8}.${last & 255}`], draining: [] }, 0);
  catalog.takeOutputs();
}

function told({ records }: Pick<TenantChanges, 'records'>): void {
  for (const { key, value } of records) if (value !== undefined) catalog.set(key, value, 0);
  catalog.takeOutputs();
}

/** In ms: each time after `before`, which is not counted. */
function times(runs: number, before: (run: number) => void, action: (run: number) => void): readonly number[] {
  return Array.from({ length: runs }, (_, run) => {
    before(run);
    const startMs = performance.now();
    action(run);
    return performance.now() - startMs;
  }).toSorted((one, other) => one - other);
}

function report(what: string, sorted: readonly number[]): void {
  const at = (share: number): string => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(2);
  console.log(`${what.padEnd(52)} p50 ${at(0.5)} ms   p99 ${at(0.99)} ms`);
}

for (let hostId = 2; hostId < 2 + hosts; hostId++) for (let at = 0; at < count; at++) slice(at, hostId, at);
console.log(`${count} services, each with a backend at each of ${hosts} hosts`);
report(
  'all of it, at the start',
  times(
    1,
    () => compiler.setResources({ vpcs, services, policies: [] }),
    () => told(compiler.compile()),
  ),
);
report(
  'a backend is another one',
  times(
    changes,
    (run) => slice(run % count, 2, run + 128),
    () => told(compiler.compile()),
  ),
);
report(
  'a pod comes that is behind one of them',
  times(
    changes,
    () => undefined,
    (run) => {
      const found = compiler.identityFor(7, { app: `a${run % count}` });
      if (found === undefined) return;
      catalog.set(found.record.key, found.record.value, 0);
      compiler.endpointWritten({
        ifindex: run + 1,
        vni: 7,
        identity: found.identity,
        addresses: [addressHex(`10.1.${run >> 8}.${run & 255}`)],
      });
      told(compiler.compile());
    },
  ),
);
report(
  'a host with a backend of each dies, in parts of 64',
  times(
    Math.ceil(count / 64),
    (run) => {
      dead.add(2);
      if (run === 0) compiler.hostsChanged([2]);
    },
    () => told(compiler.compileServices(64)),
  ),
);
