import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ControlMap, ControlMessage, ControlValue } from './control-message.ts';
import { RoutingEngine } from './engine.ts';

/**
 * A neighbour that does everything by a clock of one second, as a skupper-router does: it greets, asks and advertises at its tick
 * only, counts a change of its link state at the tick, and answers LSR and MAR at once.
 */
class TickPeer {
  readonly out: ControlMessage[] = [];
  readonly received: string[] = [];
  readonly addresses = new Set<string>();
  peers = new Map<string, number>();
  #heard = false;
  #linkStateChanged = false;
  #wantsLinkState = false;
  #wantsAddresses = false;
  #linkStateSequence = 0;
  #engineLinkState: { sequence: number; peers: ControlValue } = { sequence: 0, peers: new Map() };
  #engineMobileSequence = 0;

  get engineLinkState(): ControlValue {
    return this.#engineLinkState.peers;
  }

  tick(): void {
    this.#send('amqp:/_local/qdhello', 'HELLO', { pv: 1, instance: 77, seen: this.#heard ? ['engine'] : [] });
    const changed = this.#linkStateChanged;
    if (changed) this.#linkStateSequence++;
    this.#linkStateChanged = false;
    if (this.#wantsLinkState) this.#send('amqp:/_topo/0/engine/qdrouter', 'LSR', { pv: 1 });
    if (this.#wantsAddresses) this.#send('amqp:/_topo/0/engine/qdrouter.ma', 'MAR', { pv: 2, have_seq: this.#engineMobileSequence });
    this.#wantsLinkState = false;
    this.#wantsAddresses = false;
    const sequences = { ls_seq: this.#linkStateSequence, mobile_seq: 1 };
    if (changed) this.#send('amqp:/_topo/0/all/qdrouter', 'RA', { pv: 1, instance: 77, ...sequences });
  }

  receive({ opcode, body }: ControlMessage): void {
    this.received.push(opcode);
    if (opcode === 'HELLO') this.#receiveHello(body);
    if (opcode === 'RA') {
      if ((body.get('ls_seq') as number) > this.#engineLinkState.sequence) this.#send('amqp:/_topo/0/engine/qdrouter', 'LSR', { pv: 1 });
      if ((body.get('mobile_seq') as number) > this.#engineMobileSequence) this.#wantsAddresses = true;
    }
    if (opcode === 'LSR') {
      const ls = new Map<string, ControlValue>(
        Object.entries({ id: 'tick', area: '0', ls_seq: this.#linkStateSequence, peers: this.peers }),
      );
      this.#send('amqp:/_topo/0/engine/qdrouter', 'LSU', { pv: 1, instance: 77, ls_seq: this.#linkStateSequence, ls });
    }
    if (opcode === 'LSU') {
      const linkState = body.get('ls') as ControlMap;
      this.#engineLinkState = { sequence: linkState.get('ls_seq') as number, peers: linkState.get('peers') ?? null };
    }
    if (opcode === 'MAR' && (body.get('have_seq') as number) < 1) {
      this.#send('amqp:/_topo/0/engine/qdrouter.ma', 'MAU', { pv: 2, mobile_seq: 1, exist: [['Mthere', 3, 0]] });
    }
    if (opcode === 'MAU') this.#receiveUpdate(body);
  }

  #receiveHello(body: ControlMap): void {
    this.#heard = true;
    if (!(body.get('seen') as string[]).includes('tick') || this.peers.has('engine')) return;
    this.peers.set('engine', 1);
    this.#linkStateChanged = true;
    this.#wantsLinkState = true;
  }

  #receiveUpdate(body: ControlMap): void {
    const sequence = body.get('mobile_seq') as number;
    if (!body.has('exist') && sequence !== this.#engineMobileSequence + 1) {
      this.#wantsAddresses = true;
      return;
    }
    this.#engineMobileSequence = sequence;
    const keys = (list: ControlValue | undefined): string[] => ((list ?? []) as string[][]).map(([key]) => key);
    if (body.has('exist')) this.addresses.clear();
    for (const key of [...keys(body.get('exist')), ...keys(body.get('add'))]) this.addresses.add(key);
    for (const key of keys(body.get('del'))) this.addresses.delete(key);
  }

  #send(to: string, opcode: string, fields: Record<string, ControlValue>): void {
    const body = new Map<string, ControlValue>(Object.entries({ id: 'tick', area: '0', ...fields }));
    this.out.push({ to, opcode, body, ingress: '0/tick', trace: ['0/tick'] });
  }
}

test('a neighbour that acts once a second is satisfied, and served within two of its ticks', () => {
  const engine = new RoutingEngine({ routerId: 'engine', instance: 5 });
  const peer = new TickPeer();
  engine.localAddress('Mhere', 3, 0, 0);
  engine.linkUp(1, 1, 0);
  for (let nowMs = 0; nowMs <= 6000; nowMs += 50) {
    if (nowMs % 1000 === 400) peer.tick();
    if (nowMs >= engine.nextDeadlineMs()) engine.handleTimeout(nowMs);
    // Messages in both directions, until neither side has more to say at this moment.
    for (let more = true; more;) {
      more = false;
      for (let out = engine.nextTransmit(); out !== undefined; out = engine.nextTransmit()) {
        peer.receive(out.message);
        more = true;
      }
      for (const message of peer.out.splice(0)) {
        engine.receive(1, message, nowMs);
        more = true;
      }
    }
    if (nowMs === 1450) {
      assert.equal(engine.table.routers.get('tick')?.cost, 1);
      assert.deepEqual([...engine.table.addresses.keys()], ['Mthere']);
      assert.deepEqual([...engine.status().routers[0].peers], [['engine', 1]]);
    }
    if (nowMs === 2450) {
      assert.deepEqual(peer.engineLinkState, new Map([['tick', 1]]));
      assert.deepEqual([...peer.addresses], ['Mhere']);
      engine.localAddress('Mmore', 3, 0, nowMs);
      engine.localAddressGone('Mhere', nowMs);
    }
  }
  assert.deepEqual([...peer.addresses], ['Mmore']);
  assert.equal(peer.received.filter((opcode) => opcode === 'LSR').length, 2, 'one for the path, one for the advertisement');
  assert.deepEqual([...engine.status().ignored], []);
});
