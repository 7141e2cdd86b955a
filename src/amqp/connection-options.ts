import type { Connection } from './connection.ts';
import type { IncomingLink, OutgoingLink } from './link.ts';
import type { AmqpError, Open, OpenParameters } from './performatives.ts';
import type { SaslClientOptions, SaslServerOptions } from './sasl.ts';
import { maxChannels } from './session-table.ts';
import type { SlabPool } from './transmit-buffer.ts';
import type { ValueWriter } from './value-writer.ts';

export interface ConnectionOptions {
  /** True for the side that dialled. */
  readonly client: boolean;
  readonly containerId: string;
  /** The host that was dialled, for OPEN and SASL; null for a server. */
  readonly hostname: string | null;
  readonly sasl: { readonly client: SaslClientOptions } | { readonly server: SaslServerOptions } | undefined;
  /** A server that offers SASL also takes a peer that begins without it, who is as good as ANONYMOUS. */
  readonly saslOptional?: boolean;
  /** Largest frame that we accept; at least 512. */
  readonly maxFrameSize: number;
  /** Silence after which the peer is taken for dead; half of it is announced, as Proton does. 0 = never. */
  readonly idleTimeoutMs: number;
  /** From the first byte to the peer's OPEN. */
  readonly handshakeTimeoutMs: number;
  readonly capabilities: readonly string[];
  readonly writeProperties?: (writer: ValueWriter) => void;
  readonly slabs: SlabPool;
  /** What is less than between routers. */
  readonly limits?: ConnectionLimits;
}

/** What one peer may have; what is absent is as between routers. */
export interface ConnectionLimits {
  readonly sessions?: number;
  /** In all sessions. */
  readonly links?: number;
  /** Incoming deliveries in all sessions. */
  readonly unsettled?: number;
  /** What a session may send before its window is renewed. */
  readonly incomingWindowBytes?: number;
  /** What may wait in one link for the peer's credit or window, and in all links. */
  readonly linkBacklogBytes?: number;
  readonly backlogBytes?: number;
}

/**
 * Hears what happens on a connection, in the order of the wire. A handler is called synchronously from `receive` and `handleTimeout`
 * and may use the connection at once. (One ordered stream of calls instead of an event queue beside a data sink: what a control frame
 * means depends on the transfers before it.)
 */
export interface ConnectionHandler {
  /** OPEN has been exchanged. */
  opened(connection: Connection, open: Open): void;
  /** The peer attached a link: set its handler and sink and call `session.accept`, or `session.refuse`. */
  linkOffered(connection: Connection, link: IncomingLink | OutgoingLink): void;
  /** `pendingBytes` fell to `relievedBytes` after it had been over `congestedBytes`. */
  relieved(connection: Connection): void;
  /** The connection is over; sessions, links and deliveries have been told. Called once. `error` is the reason, if it was not orderly. */
  closed(connection: Connection, error: AmqpError | undefined): void;
}

/** What our OPEN says. */
export function openParameters(options: ConnectionOptions): OpenParameters {
  return {
    containerId: options.containerId,
    hostname: options.hostname,
    maxFrameSize: options.maxFrameSize,
    channelMax: (options.limits?.sessions ?? maxChannels) - 1,
    idleTimeoutMs: options.idleTimeoutMs >> 1,
    capabilities: options.capabilities,
    ...(options.writeProperties === undefined ? {} : { writeProperties: options.writeProperties }),
  };
}
