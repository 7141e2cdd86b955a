import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeliveryState } from '../amqp/performatives.ts';
import { ValueReader } from '../amqp/value-reader.ts';
import type { AuditEvent } from '../base/audit.ts';
import { silentLogger } from '../base/log.ts';
import type { Upstream } from '../forwarding/leg.ts';
import { decodeHead } from '../forwarding/message-head.ts';
import type { MessageHead } from '../forwarding/message-head.ts';
import { Neighbour } from '../forwarding/neighbour.ts';
import type { NeighbourHandler } from '../forwarding/neighbour.ts';
import { processClock } from '../host/process-clock.ts';
import { processRandom } from '../host/process-random.ts';
import { encodeStreamStart } from '../services/tcp/stream-message.ts';
import { ControlPlane } from './control-plane.ts';

const upstream: Upstream = { update: () => undefined, relieved: () => undefined };

function headFor(address: string): MessageHead {
  const bytes = encodeStreamStart(address, null, null);
  return decodeHead(new ValueReader(bytes));
}

test('a message of a neighbour to the management of a router is delivered to nobody, and each is an event of the audit log', () => {
  const events: AuditEvent[] = [];
  const random = processRandom();
  const control = new ControlPlane({
    routing: { routerId: 'alpha', instance: 1 },
    rule: () => undefined,
    clock: processClock,
    random,
    log: silentLogger,
    audit: { record: (event) => void events.push(event) },
    wake: () => undefined,
  });
  const handler: NeighbourHandler = control;
  const neighbour = new Neighbour(1, false, 1, handler, random, silentLogger);
  neighbour.routerId = 'evil';
  for (const address of ['_topo/0/alpha/$management', '$management', 'amqp:/_local/$management', 'amqp:/$management']) {
    assert.equal(control.forwarder.forward(headFor(address), false, false, neighbour, upstream), DeliveryState.released, address);
  }
  const fields = { router: 'evil', origin: 'evil', address: '$management', reason: 'management is no address of the network' };
  assert.deepEqual(
    events,
    Array.from({ length: 4 }, () => ({ event: 'deliveryRefused', fields })),
  );
  // What is only not there, or was made here, is nothing to keep.
  control.forwarder.forward(headFor('nobody'), false, false, neighbour, upstream);
  control.forwarder.forward(headFor('_topo/0/alpha/temp.x'), false, false, neighbour, upstream);
  control.forwarder.forward(headFor('$management'), false, false, undefined, upstream);
  assert.equal(events.length, 4);
});
