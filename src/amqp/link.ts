import type { IncomingLink } from './incoming-link.ts';
import type { OutgoingLink } from './outgoing-link.ts';
import type { AmqpError } from './performatives.ts';
import type { Session } from './session.ts';

export { IncomingLink } from './incoming-link.ts';
export { OutgoingLink } from './outgoing-link.ts';

/** Hears what happens to a link. The owner sets it when it attaches, or when it accepts the peer's attach. */
export interface LinkHandler {
  /** The peer answered our attach (or `accept` was called for the peer's). A peer that refuses answers without source and target, and detaches. */
  attached(link: IncomingLink | OutgoingLink): void;
  /** The link is gone; `error` is the peer's reason. Called once; deliveries have been told before. */
  detached(link: IncomingLink | OutgoingLink, error: AmqpError | undefined): void;
  /** After `drain`: the sender has used or given up all credit. */
  drained?(link: IncomingLink): void;
}

/** Hears when an outgoing link can take deliveries. */
export interface OutgoingLinkHandler extends LinkHandler {
  /** Credit arrived or the backlog was written: `link.credit` and `link.backlogBytes` changed. */
  flow(link: OutgoingLink): void;
}

/** What both kinds of link share. */
export interface LinkIdentity {
  readonly session: Session;
  readonly name: string;
  /** Our handle. */
  readonly handle: number;
  /** True when the peer attached first. */
  readonly remoteInitiated: boolean;
}
