import type { Forwarder } from '../../forwarding/forwarder.ts';
import type { BalancedServer } from '../balancing/balanced-server.ts';
import type { RetryBudget } from '../balancing/retry-budget.ts';
import type { RetryQueue } from '../tcp/retry-queue.ts';
import type { WindowBudget } from '../tcp/window-budget.ts';
import type { RequestHead, Responder } from './exchange.ts';
import type { ForwardedFields } from './forwarded-fields.ts';
import type { IngressExchange } from './ingress-exchange.ts';
import type { IngressTry } from './ingress-try.ts';
import type { MessageWriter } from './message-writer.ts';
import type { NetworkErrorCode } from './network-error.ts';
import type { ReplyAddresses } from './reply-addresses.ts';
import type { RequestMetering } from './request-metering.ts';
import type { Deadlines } from './request-deadlines.ts';

/** Where a request may go. */
export interface ServerChoice {
  choose(nowMs: number, tried: readonly BalancedServer[]): BalancedServer | undefined;
  /** Whether there may be servers that nothing is known of: a message to the address itself finds them. */
  readonly mayBeElsewhere: boolean;
}

/** What the requests of one listener share. */
export interface IngressContext {
  readonly forwarder: Forwarder;
  readonly writer: MessageWriter;
  readonly windows: WindowBudget;
  readonly forwardedFields: ForwardedFields;
  readonly replyAddresses: ReplyAddresses;
  readonly retries: RetryQueue<IngressExchange>;
  readonly retryBudget: RetryBudget;
  readonly requestDeadlines: Deadlines<IngressExchange>;
  readonly tryDeadlines: Deadlines<IngressTry>;
  readonly metering: RequestMetering;
  /** Tries of a request that may have been processed. */
  readonly maxTries: number;
  /** No more requests are taken. */
  readonly isFull: boolean;
  nowMs(): number;
  /** A deadline has been set: the owner is to be woken then. */
  deadlinesChanged(): void;
  /** The service address for a request, and its servers; undefined when none is reachable, nor was a moment ago. */
  chooseAddress(): string | undefined;
  servers(address: string): ServerChoice;
  nextRequestId(): string;
  answerError(request: RequestHead, responder: Responder, code: NetworkErrorCode, reason: string): void;
  /** Something has been sent outside of a call from a connection. */
  touch(): void;
  retried(): void;
  ended(exchange: IngressExchange, failure: string | undefined): void;
}
