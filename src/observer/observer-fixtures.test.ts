import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { silentLogger } from '../base/log.ts';
import { NetworkModel } from '../flows/network-model.ts';
import { Attribute as a, RecordType as types } from '../flows/record-types.ts';
import type { AttributeValue } from '../flows/record.ts';
import { History } from './history.ts';
import type { ObserverState } from './observer-state.ts';
import { emptySums, type TrafficKey } from './traffic-sums.ts';

/** A state of an observer that has seen two sites, a service of each kind and some traffic. */

export const startMs = 1_800_000_000_000;

export class TestClock {
  atMs: number = startMs;
  nowMs(): number {
    return this.atMs;
  }
  wallMs(): number {
    return this.atMs;
  }
}

type Facts = readonly (readonly [number, AttributeValue])[];

export function tell(model: NetworkModel, source: string, type: number, identity: string, facts: Facts, nowMs: number = startMs): void {
  model.record(
    source,
    new Map<number, AttributeValue>([[a.recordType, type], [a.identity, identity], [a.startTime, startMs * 1000], ...facts]),
    nowMs,
  );
}

/** Two sites: `west` with listeners, `east` with connectors, and a link from west to east. */
export function tellTwoSites(model: NetworkModel): void {
  for (const [name, source] of [
    ['west', 'aaaaa'],
    ['east', 'bbbbb'],
  ] as const) {
    model.source(`${source}:0`, 'up', startMs);
    tell(model, `${source}:0`, types.site, `${name}-site`, [
      [a.name, name],
      [a.platform, 'linux'],
      [a.buildVersion, '1.0'],
    ]);
    tell(model, `${source}:0`, types.router, `${source}:0`, [
      [a.parent, `${name}-site`],
      [a.name, `0/${name}-r`],
      [a.mode, 'interior'],
      [a.certificateEnds, startMs * 1000],
    ]);
  }
  const port = (name: string, protocol: string): Facts => [
    [a.parent, 'aaaaa:0'],
    [a.name, name],
    [a.destHost, '127.0.0.1'],
    [a.destPort, '80'],
    [a.protocol, protocol],
    [a.vanAddress, name],
  ];
  tell(model, 'aaaaa:0', types.listener, 'aaaaa:1', port('web', 'http'));
  tell(model, 'aaaaa:0', types.listener, 'aaaaa:2', port('db', 'tcp'));
  tell(model, 'bbbbb:0', types.process, 'bbbbb:9', [
    [a.parent, 'east-site'],
    [a.name, 'web-1'],
    [a.sourceHost, '127.0.0.1'],
    [a.group, 'web'],
    [a.mode, 'external'],
  ]);
  tell(model, 'bbbbb:0', types.connector, 'bbbbb:1', [
    ...port('web', 'http'),
    [a.process, 'bbbbb:9'],
    [a.destServer, 's1'],
    [a.parent, 'bbbbb:0'],
  ]);
  tell(model, 'bbbbb:0', types.connector, 'bbbbb:2', [...port('db', 'tcp'), [a.parent, 'bbbbb:0']]);
  tell(model, 'bbbbb:0', types.routerAccess, 'bbbbb:3', [
    [a.parent, 'bbbbb:0'],
    [a.name, 'access'],
    [a.linkCount, 1],
    [a.role, 'inter-router'],
  ]);
  tell(model, 'aaaaa:0', types.link, 'aaaaa:3', [
    [a.parent, 'aaaaa:0'],
    [a.name, 'to-east'],
    [a.role, 'inter-router'],
    [a.linkCost, 1],
    [a.operStatus, 'up'],
    [a.peer, 'bbbbb:3'],
    [a.peerRouter, 'east-r'],
    [a.octets, 100],
    [a.roundTripMicroseconds, 2000],
    [a.lossMillionths, 1000],
    [a.httpProxy, 'no'],
  ]);
}

export function tellRequest(model: NetworkModel, id: string, nowMs: number, facts: Facts = []): void {
  const request: Facts = [
    [a.parent, 'aaaaa:20'],
    [a.startTime, nowMs * 1000 - 5000],
    [a.endTime, nowMs * 1000],
    [a.protocol, 'HTTP/1.1'],
    [a.method, 'GET'],
    [a.path, '/a'],
    [a.result, '200'],
    [a.octets, 1],
    [a.octetsReverse, 5],
    [a.sourceHost, '192.0.2.1'],
    [a.sourcePort, '4000'],
    [a.firstByteMicroseconds, 4000],
    [a.choiceMicroseconds, 100],
    [a.connectMicroseconds, 200],
    [a.serverFirstByteMicroseconds, 1500],
    [a.connector, 'bbbbb:1'],
    [a.destRouter, 'east-r'],
    [a.destServer, 's1'],
    [a.trace, '0/west-r|0/east-r'],
    [a.userAgent, 'curl'],
    ...facts,
  ];
  tell(
    model,
    'aaaaa:0',
    types.transportFlow,
    'aaaaa:20',
    [
      [a.parent, 'aaaaa:1'],
      [a.sourceHost, '192.0.2.1'],
      [a.connector, 'bbbbb:1'],
    ],
    nowMs,
  );
  tell(model, 'aaaaa:0', types.applicationFlow, id, request, nowMs);
}

export function tellTraffic(model: NetworkModel, nowMs: number, count: number): void {
  const sums = (parent: string, address: string, protocol: string): Facts => [
    [a.parent, parent],
    [a.vanAddress, address],
    [a.protocol, protocol],
    [a.destRouter, 'east-r'],
    [a.destServer, protocol === 'http' ? 's1' : ''],
    [a.count, count],
    [a.successCount, count - 1],
    [a.failureCount, 1],
    [a.octets, count * 10],
    [a.octetsReverse, count * 20],
    [a.open, 1],
    [a.latencyCounts, `100=${count}`],
    [a.latencySumMicroseconds, count * 20_000],
    ...(protocol === 'http'
      ? ([
          [a.statusCounts, `200=${count - 1} 503=1`],
          [a.methodCounts, `GET-200=${count}`],
        ] as const)
      : []),
  ];
  tell(model, 'aaaaa:0', types.traffic, 'aaaaa:30', sums('aaaaa:1', 'web', 'http'), nowMs);
  tell(model, 'aaaaa:0', types.traffic, 'aaaaa:31', sums('aaaaa:2', 'db', 'tcp'), nowMs);
}

export const webKey: TrafficKey = {
  address: 'web',
  protocol: 'http',
  sourceId: 'west-r',
  sourceName: 'west',
  destId: 'east-r',
  destName: 'east',
  listener: 'web',
  connector: 'web',
  server: '127.0.0.1:80',
};

export function testFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'observer-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** All of the above, with history. */
export function observerState(t: TestContext): { state: ObserverState; clock: TestClock } {
  const clock = new TestClock();
  const path = join(testFolder(t), 'history.db');
  const history = new History({ path, clock, log: silentLogger, retentionMs: 86_400_000, maxBytes: 64 * 1024 * 1024 });
  t.after(() => history[Symbol.dispose]());
  const model = new NetworkModel({ nowMs: startMs });
  tellTwoSites(model);
  tellRequest(model, 'aaaaa:21', startMs + 1000);
  tellTraffic(model, startMs + 2000, 10);
  const sums = { ...emptySums(), count: 10, success: 9, failure: 1, latency: new Map([[100, 10]]), statuses: new Map([['200', 9]]) };
  history.add({ key: webKey, sums, open: 1, fromMs: startMs, toMs: startMs });
  clock.atMs += 5000;
  const site = {
    isConnected: true,
    status: {
      site: { name: 'west' },
      resources: [{ kind: 'AccessToken', spec: { url: 'https://x', code: 'very-secret' }, status: { code: 'very-secret', message: 'OK' } }],
    },
    check: () => Promise.resolve({ success: true }),
  };
  const state = { version: '1.0', clock, startedMs: startMs, model, history, site, exports: () => [], metrics: () => 'metric 1\n' };
  return { state, clock };
}
