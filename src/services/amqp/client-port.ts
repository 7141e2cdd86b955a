import type { SlabPool } from '../../amqp/transmit-buffer.ts';
import type { SaslServerOptions } from '../../amqp/sasl.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type { Forwarder } from '../../forwarding/forwarder.ts';
import type { AddressRights } from './address-rights.ts';

/** What the connections of one port's clients share. */
export interface ClientPort {
  readonly forwarder: Forwarder;
  readonly rights: AddressRights;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly slabs: SlabPool;
  readonly containerId: string;
  readonly version: string;
  readonly maxFrameSize: number;
  readonly idleTimeoutMs: number;
  readonly handshakeTimeoutMs: number;
  /** Messages that a client may have under way on one link. */
  readonly linkWindow: number;
  readonly counters: ClientCounters;
  /** What this client can prove itself with. */
  sasl(authenticated: boolean): SaslServerOptions;
}

/** Messages and octets of all clients of a port, since its start. */
export class ClientCounters {
  messagesIn = 0;
  messagesOut = 0;
  bytesIn = 0;
  bytesOut = 0;
}
