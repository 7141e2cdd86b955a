import type { SlabPool } from '../amqp/transmit-buffer.ts';
import type { Audit } from '../base/audit.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { NeighbourHandler } from '../forwarding/neighbour.ts';
import type { TurnQueue } from '../host/turn.ts';
import type { Link } from './link.ts';
import type { TlsProfile } from './tls-profiles.ts';

/** What links, their listeners and connectors need of the router. */
export interface LinkContext {
  readonly routerId: string;
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly audit: Audit;
  readonly turns: TurnQueue;
  readonly slabs: SlabPool;
  /** Files that services leave for links and the rest of the router; Infinity where the system has no known limit. */
  readonly filesKept: number;
  nextLinkNumber(): number;
  handlerFor(link: Link): NeighbourHandler;
  /** Identity of the record of a port, for those who dial it. */
  accessIdentity(listener: string): string | undefined;
  /** The loaded profile of this name. */
  tlsProfile(name: string): TlsProfile;
}
