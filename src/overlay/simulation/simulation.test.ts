import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../sim/seeded-random.ts';
import { usualDurations } from '../control/durations.ts';
import { Cluster } from './cluster.ts';
import { Draws } from './draws.ts';
import { simulate, tenantSubnet, type SimulationReport } from './simulation.ts';
import type { VirtualHost } from './virtual-host.ts';
import { Witness } from './witness.ts';

/** Wall-clock time for seeds beyond the first ones. */
const budgetMs = 2000;
const firstSeeds = 3;
const mostSeeds = 30;

function run(seed: number, hosts: number, requests: number, faults: boolean, standing = 30): SimulationReport {
  return simulate({ random: new SeededRandom(seed), hosts, subnets: 3, standing, requests, faults, hasMaps: hosts <= 50 });
}

test('with crashes, partitions, lost, doubled and late messages nothing wrong happens, and everything agrees afterwards', (t) => {
  const startedMs = performance.now();
  for (let seed = 1; seed <= firstSeeds || (seed <= mostSeeds && performance.now() - startedMs < budgetMs); seed++) {
    const report = run(seed, 8, 120, true);
    t.diagnostic(`seed ${seed}: ${report.placed} placed, ${report.moved} moved, ${report.cut} cut off, ${JSON.stringify(report.faults)}`);
    assert.deepEqual(report.violations, [], `seed ${seed}`);
    assert.ok(report.placed > 20, `seed ${seed} placed ${report.placed} endpoints`);
  }
});

test('the same seed gives the same run', () => {
  assert.deepEqual(run(5, 6, 40, true), run(5, 6, 40, true));
});

test('an endpoint costs two calls for each address, whatever the hosts and the endpoints', () => {
  for (const { hosts, standing } of [
    { hosts: 2, standing: 0 },
    { hosts: 16, standing: 400 },
    { hosts: 200, standing: 100 },
  ]) {
    const report = simulate({
      random: new SeededRandom(hosts),
      hosts,
      // Without the third, whose endpoints have two addresses.
      subnets: 2,
      standing,
      requests: 60,
      faults: false,
      hasMaps: false,
    });
    assert.deepEqual(report.violations, []);
    assert.deepEqual(report.failed, {});
    assert.equal(report.putsOfEndpoint, 2, `${hosts} hosts, ${standing} endpoints`);
  }
});

test('owners that come and go leave no moment in which the owner that is asked does not know', () => {
  for (let seed = 1; seed <= 3; seed++) {
    const draws = new Draws(new SeededRandom(seed));
    const witness = new Witness();
    const cluster = new Cluster({
      draws,
      hosts: 6,
      subnets: [tenantSubnet(1, 512)],
      durations: usualDurations,
      hasMaps: true,
      textShare: 1,
      output: (host, output) => witness.output(host, output, cluster.time.nowMs),
      violation: (what) => witness.violation(what),
    });
    const { time } = cluster;
    time.run(2000);
    let requestId = 0;
    const add = (host: VirtualHost): void => {
      for (let at = 0; at < 8; at++) {
        requestId++;
        const request = { requestId, subnetId: 1, ifindex: 10 + requestId, mac: witness.mac(1), identity: 0, flags: 0, fixed: [] };
        host.control?.add(request, host.nowMs);
        host.drive();
      }
    };
    const endpoints = (): number => cluster.running.flatMap(({ control }) => [...(control?.endpoints ?? [])]).length;
    for (const host of cluster.running) add(host);
    time.run(8000);
    assert.equal(endpoints(), 48);
    const watch = (forMs: number): void => {
      for (const endMs = time.nowMs + forMs; time.nowMs < endMs;) {
        time.run(time.nowMs + 100);
        witness.checkOwners(cluster);
      }
    };
    watch(1000);
    const lost = cluster.hosts.get(1 + draws.below(6));
    assert.ok(lost !== undefined);
    lost.powerOff();
    cluster.dead.add(lost.hostId);
    cluster.publish();
    watch(12_000);
    const joined = cluster.addHost(7);
    cluster.publish();
    watch(1500);
    add(joined);
    watch(12_000);
    lost.powerOn();
    cluster.dead.delete(lost.hostId);
    cluster.publish();
    watch(1500);
    add(lost);
    watch(12_000);
    assert.equal(endpoints(), 56);
    assert.deepEqual(witness.violations, [], `seed ${seed}`);
  }
});
