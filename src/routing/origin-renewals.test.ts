import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OriginRenewals } from './origin-renewals.ts';
import { OriginState } from './origin-state.ts';
import { LinkStateContent, writeLinkState } from './record-content.ts';
import { credentialSlot, linkStateSlot, signRecord, type SignedRecord } from './signed-record.ts';
import { simulatedTrust, type SimulatedTrust } from './simulated-trust.ts';
import { TestNetwork } from './test-network.ts';

const minuteMs = 60_000;

function linkState(trust: SimulatedTrust, origin: string, peerIds: readonly string[], sequence: number): SignedRecord {
  const peers = peerIds.map((routerId) => ({ routerId, cost: 1, isUnsigned: false }));
  const content = new LinkStateContent({ slots: 2, instance: 1_700_000_000, linkStateSequence: sequence, peers, site: undefined });
  const { payload } = writeLinkState(content, 10_000);
  return signRecord({ slot: linkStateSlot, origin, epoch: 1, nonce: trust.nonce, sequence, payload }, trust);
}

function credential(trust: SimulatedTrust, origin: string, sequence: number): SignedRecord {
  const payload = trust.credential;
  return signRecord({ slot: credentialSlot, origin, epoch: 1, nonce: trust.nonce, sequence, payload }, trust);
}

test('a router that has ceased to sign is dropped, however its neighbours speak of it, and what it once said does not bring it back', () => {
  const network = new TestNetwork();
  const authority = simulatedTrust(1);
  network.router('A', { trust: authority.router({ routerId: 'A', epoch: 1 }) });
  // B goes on to name D, which is dead.
  const [b, d] = ['B', 'D'].map((routerId) => authority.router({ routerId, epoch: 1 }));
  assert.ok(b !== undefined && d !== undefined);
  network.router('B', { trust: b });
  const cable = network.connect('A', 'B');
  network.run(1_000);
  const say = (records: readonly SignedRecord[]): void => {
    const message = { to: 'amqp:/_local/caravan', opcode: 'REC', body: new Map([['id', 'B']]), ingress: '0/B', trace: ['0/B'], records };
    network.engine('A').receive(cable, message, network.nowMs);
  };
  const told = [credential(d, 'D', 100), linkState(d, 'D', ['B'], 101)];
  let sequence = 2 ** 40;
  const name = (peers: readonly string[]): void => say([linkState(b, 'B', peers, ++sequence)]);
  const knowsD = (): boolean => network.engine('A').table.routers.has('D');
  name(['A', 'D']);
  say(told);
  network.run(minuteMs);
  assert.equal(knowsD(), true);
  // Named no more it is forgotten; it comes back as old as it was.
  name(['A']);
  network.run(2 * minuteMs);
  assert.equal(knowsD(), false);
  name(['A', 'D']);
  say(told);
  network.run(37 * minuteMs);
  assert.equal(knowsD(), true);
  name(['A', 'D']);
  network.run(25 * minuteMs);
  assert.equal(knowsD(), true);
  network.run(6 * minuteMs);
  assert.equal(knowsD(), false);
  say(told);
  say([linkState(d, 'D', ['B'], 99)]);
  network.run(minuteMs);
  assert.equal(knowsD(), false);
  say([credential(d, 'D', 102), linkState(d, 'D', ['B'], 103)]);
  network.run(minuteMs);
  assert.equal(knowsD(), true);
});

test('of an origin that was dropped nothing older than its link state is taken, and nothing at all of a past life', () => {
  const trust = simulatedTrust(1).router({ routerId: 'D', epoch: 1 });
  const renewals = new OriginRenewals();
  const make = (slot: number, epoch: number, sequence: number): SignedRecord =>
    signRecord({ slot, origin: 'D', epoch, nonce: trust.nonce, sequence, payload: new Uint8Array(0) }, trust);
  const state = new OriginState('D', []).with(make(credentialSlot, 5, 7)).with(make(linkStateSlot, 5, 9));
  renewals.renewed(3, make(linkStateSlot, 5, 9));
  for (let minute = 0; minute < 10; minute++) renewals.minutePassed();
  renewals.remember(3, state);
  assert.equal(renewals.isReplay(make(linkStateSlot, 5, 8)), true);
  assert.equal(renewals.isReplay(make(linkStateSlot, 5, 9)), false);
  assert.equal(renewals.isReplay(make(credentialSlot, 5, 7)), false);
  assert.equal(renewals.isReplay(make(credentialSlot, 4, 100)), true);
  renewals.renewed(4, make(linkStateSlot, 5, 9));
  for (let minute = 0; minute < 59; minute++) renewals.minutePassed();
  assert.equal(renewals.isOverdue(4), false);
  renewals.minutePassed();
  assert.equal(renewals.isOverdue(4), true);
  for (const slot of [credentialSlot, linkStateSlot]) assert.equal(renewals.isReplay(make(slot, 5, 9)), true);
  for (const [epoch, sequence] of [
    [5, 10],
    [6, 1],
  ] as const)
    assert.equal(renewals.isReplay(make(linkStateSlot, epoch, sequence)), false);
});
