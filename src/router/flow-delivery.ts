import type { OutgoingFlowMessage } from '../flows/flow-messages.ts';
import type { Forwarder } from '../forwarding/forwarder.ts';
import type { Upstream } from '../forwarding/leg.ts';
import { noAnnotations } from '../forwarding/router-annotations.ts';

/** What becomes of a message that is told and not answered is nothing to its teller. */
const nobody: Upstream = {
  update(): void {},
  relieved(): void {},
};

/**
 * Sends a message about records. `routerId` is the router that it is for; empty when it is for all who listen. What finds its way full is
 * dropped: records must not delay what they are about.
 */
export function sendFlowMessage(forwarder: Forwarder, { to, octets, bodyStart }: OutgoingFlowMessage, routerId: string): void {
  const isContested = routerId !== '' && offersElsewhere(forwarder, to, routerId);
  const annotations = isContested ? { ...noAnnotations, toOverride: `amqp:/_topo/0/${routerId}/${to}` } : noAnnotations;
  const head = { annotations, annotationsEnd: 0, priority: 4, to, replyTo: null, correlationId: null, contentType: null, bodyStart };
  const downstream = forwarder.forward(head, false, true, undefined, nobody);
  if (typeof downstream === 'number') return;
  if (downstream.congested) downstream.abort();
  else downstream.send(octets, 0, octets.length, false);
}

/**
 * Every member may offer addresses of sources, and one that is not its own, too: what is meant for a source then goes to an address of its
 * router alone. (Not always, because a skupper-router takes such messages at the source's address only.)
 */
function offersElsewhere(forwarder: Forwarder, address: string, routerId: string): boolean {
  if (routerId !== forwarder.routerId && forwarder.localConsumers(address) > 0) return true;
  return forwarder.routersOf(address).some((router) => router.routerId !== routerId);
}
