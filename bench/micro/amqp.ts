/**
 * Transfer frames per second through two AMQP connections in memory: `node bench/micro/amqp.ts`.
 *
 * One side writes deliveries of a size, the other receives, accepts and gives the credit back; bytes go through slabs as they would to a
 * socket, with a copy per 64 KiB in place of the kernel's. One process and one thread do the work of both ends.
 */
import { parseArgs } from 'node:util';
import { Connection } from '../../src/amqp/connection.ts';
import type { ConnectionHandler } from '../../src/amqp/connection.ts';
import type { DeliverySink, DeliverySource, IncomingDelivery } from '../../src/amqp/delivery.ts';
import type { IncomingLink, OutgoingLink } from '../../src/amqp/link.ts';
import { DeliveryState } from '../../src/amqp/performatives.ts';
import { SlabPool } from '../../src/amqp/transmit-buffer.ts';
import { connectionOptions, termini } from '../../test/fuzz/connection-pair.ts';

/** Deliveries written before the other end gets its turn, as many streams would in one turn of the event loop. */
const batch = 64;

class Receiver implements ConnectionHandler, DeliverySink {
  received = 0;
  opened(): void {}
  linkOffered(_connection: Connection, link: IncomingLink | OutgoingLink): void {
    if (link.receiver) link.sink = this;
    link.session.accept(link);
    if (link.receiver) link.grant(250);
  }
  relieved(): void {}
  closed(): void {}
  transfer(delivery: IncomingDelivery, _bytes: Uint8Array, _start: number, _end: number, more: boolean): void {
    if (more) return;
    this.received++;
    delivery.update(DeliveryState.accepted, true);
    delivery.link.replenish();
  }
  aborted(): void {}
  senderSettled(): void {}
}

class Outcomes implements DeliverySource {
  settled = 0;
  disposition(): void {
    this.settled++;
  }
  lost(): void {}
}

function move(from: Connection, to: Connection): void {
  for (let bytes = from.nextTransmit(); bytes !== undefined; bytes = from.nextTransmit()) {
    to.receive(bytes.slice(), 0);
    from.transmitted();
  }
}

function run(size: number, durationMs: number): number {
  const slabs = new SlabPool();
  const receiver = new Receiver();
  const client = new Connection(connectionOptions(true, { slabs }), new Receiver());
  const server = new Connection(connectionOptions(false, { slabs }), receiver);
  client.start(0);
  server.start(0);
  const exchange = (): void => {
    move(client, server);
    move(server, client);
  };
  exchange();
  const link = client.openSession().attachOutgoing('bench', ...termini());
  exchange();
  const outcomes = new Outcomes();
  const payload = new Uint8Array(size);
  const start = performance.now();
  let sent = 0;
  while (performance.now() - start < durationMs) {
    for (let index = 0; index < batch; index++) link.deliver(false, outcomes).send(payload, 0, size, false);
    sent += batch;
    exchange();
  }
  const elapsedMs = performance.now() - start;
  exchange();
  if (receiver.received !== sent || outcomes.settled !== sent) throw new Error(`${sent} sent, ${receiver.received} received`);
  return (sent / elapsedMs) * 1000;
}

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '2' } } });
const durationMs = Number(values.seconds) * 1000;
for (const size of [200, 16_000, 65_536]) {
  run(size, durationMs / 4);
  const perSecond = run(size, durationMs);
  const nanoseconds = Math.round(1e9 / perSecond);
  console.log(
    `${size} B: ${Math.round(perSecond)} deliveries/s, ${nanoseconds} ns each, ${Math.round((perSecond * size) / 1_048_576)} MiB/s`,
  );
}
