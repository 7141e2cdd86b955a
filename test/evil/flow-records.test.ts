import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { ObservedNetwork } from '../../src/flows/observed-network.ts';
import type { FlowDetail } from '../../src/flows/metering.ts';
import { Attribute, RecordType } from '../../src/flows/record-types.ts';
import { TurnQueue } from '../../src/host/turn.ts';
import { FlowRecords } from '../../src/router/flow-records.ts';
import type { VirtualRouter } from '../../src/sim/virtual-router.ts';
import { FlowObservation } from '../../src/supervisor/flow-observation.ts';
import { flowRecords } from './attacks/telemetry.ts';
import { EvilNetwork } from './virtual.ts';

const stepMs = 10;

/** Honest routers that tell records: b has the clients, a the server and, in the end, two observers. The evil one is next to c, between them. */
class RecordedNetwork {
  readonly evil = new EvilNetwork();
  readonly #flows = new Map<string, FlowRecords>();
  readonly #ending = new AbortController();

  constructor() {
    for (const router of this.evil.honest) this.#flows.set(router.id, this.#recordsOf(router));
  }

  router(id: string): VirtualRouter {
    const found = this.evil.honest.find((router) => router.id === id);
    assert.ok(found !== undefined);
    return found;
  }

  records(id: string): FlowRecords {
    const found = this.#flows.get(id);
    assert.ok(found !== undefined);
    return found;
  }

  #turnsOf(router: VirtualRouter): TurnQueue {
    const turns = new TurnQueue();
    turns.register({ endOfTurn: () => router.touch() });
    return turns;
  }

  #recordsOf(router: VirtualRouter): FlowRecords {
    const sourceId = `src-${router.id}`;
    let number = 0;
    return new FlowRecords(
      {
        forwarder: () => router.control.forwarder,
        clock: { nowMs: () => router.nowMs(), wallMs: () => router.nowMs() },
        turns: this.#turnsOf(router),
        routerId: router.id,
        version: '1',
        mode: 'interior',
        sourceId,
        nextIdentity: () => `${sourceId}:${++number}`,
        settings: () => ({ detailRate: 250, certificateEndsMs: undefined, membershipEndsMs: undefined }),
        refresh: () => undefined,
        report: () => undefined,
      },
      new Map([['name', `site-${router.id}`]]),
    );
  }

  /** What an observer that begins now makes of what it hears. */
  observe(id: string): ObservedNetwork {
    const router = this.router(id);
    const nowMs = (): number => router.nowMs();
    const observed = new ObservedNetwork({ nowMs: nowMs(), ownRouterId: id });
    interface Line {
      readonly body: { readonly to?: string; readonly payload?: string; readonly origin?: string };
    }
    const client = {
      send: (line: string): boolean => {
        const { to, payload, origin } = (JSON.parse(line) as Line).body;
        if (to !== undefined && payload !== undefined) {
          observed.receive({ to, payload: Buffer.from(payload, 'base64'), origin }, nowMs(), nowMs());
        }
        return true;
      },
      endWith: () => undefined,
      closed: this.#ending.signal,
    };
    const request = { id: 1, operation: 'OBSERVE', type: '', attributes: new Map() };
    const site = { forwarder: router.control.forwarder, turns: this.#turnsOf(router) };
    void new FlowObservation(site, { detail: true, logs: false }, request, client, () => undefined);
    return observed;
  }

  pass(durationMs: number): void {
    for (let leftMs = durationMs; leftMs > 0; leftMs -= stepMs) {
      mock.timers.tick(stepMs);
      this.evil.network.run(stepMs);
      for (const flows of this.#flows.values()) flows.routesChanged();
    }
  }

  [Symbol.dispose](): void {
    this.#ending.abort();
    for (const flows of this.#flows.values()) flows.stop();
  }
}

test(`${flowRecords.name}: ${flowRecords.tries}`, () => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'setImmediate'] });
  try {
    using network = new RecordedNetwork();
    const { evil } = network.evil;
    network.evil.settle();
    const web = 'web';
    const server = network.records('a').source;
    const client = network.records('b').source;
    network.router('a').control.forwarder.addConsumer(web, network.evil.service);
    const connector = server.begin(
      RecordType.connector,
      [
        [Attribute.parent, network.records('a').routerIdentity],
        [Attribute.name, 'honest'],
        [Attribute.destServer, 'honest'],
        [Attribute.vanAddress, web],
        [Attribute.destHost, '10.0.0.1'],
        [Attribute.destPort, '80'],
      ],
      1,
    );
    const listener = client.begin(
      RecordType.listener,
      [
        [Attribute.name, 'front'],
        [Attribute.vanAddress, web],
      ],
      1,
    );
    const first = network.observe('a');
    network.pass(4_000);

    const request = (): FlowDetail => {
      const meter = client.meterFor(listener.identity, 'http', 'requests', web);
      const detail = meter.begin({ kind: 'request', startWallMicroseconds: network.router('b').nowMs() * 1000 });
      assert.ok(detail !== undefined);
      return detail;
    };
    const added = (detail: FlowDetail): void =>
      server.supplement.add(
        detail.identity,
        new Map<number, number | string>([
          [Attribute.trace, '0/b|0/c'],
          [Attribute.destServer, 'honest'],
          [Attribute.connector, connector.identity],
          [Attribute.destRouter, 'a'],
          [Attribute.endTime, 1],
        ]),
      );
    const details: FlowDetail[] = [];
    let second: ObservedNetwork | undefined;
    for (const waitMs of flowRecords.run(evil)) {
      network.pass(waitMs);
      // Who begins now hears the evil one first.
      if (details.length === 5) second = network.observe('a');
      const detail = request();
      details.push(detail);
      if (details.length % 2 === 0) detail.end(network.router('b').nowMs() * 1000);
      else network.pass(50);
      added(detail);
      if (details.length % 2 === 1) detail.end(network.router('b').nowMs() * 1000);
    }
    network.pass(12_000);

    assert.ok(evil.sent > 100, 'it has done something');
    assert.equal(evil.taken, 0, 'nothing that is for others came to it');
    assert.ok(second !== undefined);
    for (const [model, since] of [
      [first.model, 0],
      // It hears b at its next beacon.
      [second.model, details.length - 5],
    ] as const) {
      for (const { identity } of details.slice(since)) {
        const row = model.request(identity) ?? model.request(`${identity}@b`);
        assert.deepEqual(
          [row?.sourceSite, row?.destSite, row?.connector, row?.server],
          ['site-b', 'site-a', 'honest', '10.0.0.1:80'],
          identity,
        );
      }
      const { sites } = model.snapshot(60_000, network.router('a').nowMs());
      assert.deepEqual(sites.map(({ id, name }) => `${id} ${name}`).sort(), ['a site-a', 'b site-b', 'c site-c', 'evil evil']);
    }
  } finally {
    mock.timers.reset();
  }
});
