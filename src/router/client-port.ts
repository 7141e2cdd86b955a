import type { ListenerEntity } from '../management/entities.ts';
import type { AmqpListenerEntity } from '../management/service-entities.ts';

/**
 * A client that announces less gets less. Smaller ones would be too many for clients that give room for a number of frames, and no more before
 * a message is complete.
 */
const preferredMaxFrameSize = 65_536;

/** What the port of a `listener` of role `normal` is called among the amqpListeners: no name of these has a blank. */
export function clientPortName(listener: string): string {
  return `listener ${listener}`;
}

/** A `listener` of role `normal` is a port for AMQP clients that may use all addresses, as in skupper-router without policies. */
export function clientPortOf(listener: ListenerEntity): AmqpListenerEntity {
  const { name, host, port, sslProfile, authenticatePeer, saslMechanisms, http, maxFrameSize, linkCapacity } = listener;
  return {
    type: 'amqpListener',
    name: clientPortName(name),
    address: '*',
    host,
    port,
    backlog: 0,
    ...(sslProfile === undefined ? {} : { sslProfile }),
    ...(authenticatePeer ? { authenticatePeer } : {}),
    ...(saslMechanisms === undefined ? {} : { saslMechanisms }),
    webSocket: http,
    maxFrameSize: Math.max(maxFrameSize, preferredMaxFrameSize),
    linkCapacity,
    idleTimeoutMs: listener.idleTimeoutSeconds * 1000,
    handshakeTimeoutMs: listener.initialHandshakeTimeoutSeconds === 0 ? Infinity : listener.initialHandshakeTimeoutSeconds * 1000,
  };
}
