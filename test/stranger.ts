import type { Connection } from '../src/amqp/connection.ts';
import { ValueWriter } from '../src/amqp/value-writer.ts';
import type { Neighbour } from '../src/forwarding/neighbour.ts';
import { encodeAnnotations } from '../src/forwarding/router-annotations.ts';
import { RecordingHandler, termini } from './fuzz/connection-pair.ts';
import type { VirtualNetwork } from '../src/sim/virtual-network.ts';
import type { VirtualNode } from '../src/sim/virtual-node.ts';
import type { VirtualRouter } from '../src/sim/virtual-router.ts';

export function capabilityTermini(capability: string | null): [source: Uint8Array, target: Uint8Array] {
  if (capability === null) return termini();
  const writer = new ValueWriter(64);
  const make = (descriptor: number): Uint8Array => {
    writer.reset();
    writer.descriptor(descriptor);
    writer.list();
    const count = descriptor === 0x28 ? 10 : 6;
    for (let index = 0; index < count; index++) writer.null();
    writer.symbol(capability);
    writer.end(count + 1);
    return writer.take();
  };
  return [make(0x28), make(0x29)];
}

export interface Stranger {
  readonly handler: RecordingHandler;
  readonly connection: Connection;
  readonly node: VirtualNode;
  readonly neighbour: Neighbour;
  readonly control: ReturnType<ReturnType<Stranger['connection']['openSession']>['attachOutgoing']>;
  readonly data: Stranger['control'];
}

/** A peer with its control links and one link for data. */
export function strangerWithLinks(network: VirtualNetwork, router: VirtualRouter, properties?: (writer: ValueWriter) => void): Stranger {
  const handler = new RecordingHandler();
  const link = network.strange(router, 'foreign', handler, properties);
  network.run(50);
  const [connection, accepting] = link.connections;
  const session = connection.openSession();
  const incoming = session.attachIncoming('in', ...capabilityTermini('qd.router'));
  incoming.sink = handler;
  incoming.grant(1000);
  const control = session.attachOutgoing('out', ...capabilityTermini('qd.router'));
  const data = connection.openSession().attachOutgoing('data', ...capabilityTermini('qd.router-data'));
  link.ends[0].touch();
  network.run(50);
  return { handler, connection, node: link.ends[0], neighbour: accepting.handler as Neighbour, control, data };
}

export function withAnnotations(message: Uint8Array, flags: number): Uint8Array {
  const writer = new ValueWriter(512);
  encodeAnnotations(writer, { flags, toOverride: null, ingress: '0/foreign', trace: ['0/foreign'], ingressMesh: null });
  writer.raw(message);
  return writer.take();
}
