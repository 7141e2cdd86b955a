import { Inquiry } from '../inquiry/inquiry.ts';
import type { InquiryEnd } from '../inquiry/inquiry.ts';
import { noFields } from '../inquiry/inquiry-message.ts';
import { managementBody, managementName, managementProperties, readManagementVersion } from './foreign-ping.ts';
import { pingName, readPingAnswer } from './ping-answer.ts';
import type { PingOptions } from './ping-rounds.ts';

/** Routers on a way that are pinged themselves; of longer ways the others are only named. */
const maxHopsPinged = 16;

export interface PingTarget {
  readonly routerId: string;
  /** Ids of the routers on the way, the target last, as far as they are known beforehand. */
  readonly way: readonly string[];
}

/** What a ping is asked with. */
interface AskedTarget extends PingTarget {
  /** It has answered before: what is not taken now was lost on a way that changes. */
  readonly isAble: boolean;
}

/** `lost`: nothing came back in time, or a link on the way broke. `unable`: the router does not answer pings. */
export type PingOutcome = 'answered' | 'lost' | 'no-way' | 'unable' | 'limited';

export interface PingHop {
  readonly routerId: string;
  readonly outcome: PingOutcome | 'not-asked';
  /** From here to this router and back; null without an answer. */
  readonly roundTripMs: number | null;
}

/** One ping that has ended. */
export interface PingResult {
  readonly routerId: string;
  /** 1 for the first. */
  readonly sequence: number;
  readonly outcome: PingOutcome;
  /** Why there was no answer; empty when nobody said. */
  readonly reason: string;
  readonly roundTripMs: number | null;
  /** Routers on the way, the target last. Of a ping without an answer: those of the one before. */
  readonly hops: readonly PingHop[];
  /** Ids of the routers that the answer has passed, the target first, this router not among them. */
  readonly wayBack: readonly string[];
  readonly version: string | null;
}

export type PingContext = Pick<PingOptions, 'forwarder' | 'nowMs' | 'timeoutMs' | 'isForeign' | 'ended'>;

/** One ping: the target first, then the routers on the way, so that they do not disturb the time that is taken. */
export class PingTry {
  readonly #context: PingContext;
  readonly #target: AskedTarget;
  readonly #sequence: number;
  readonly #open = new Set<Inquiry>();
  /** What is known of the target when the hops are asked. */
  #result: Omit<PingResult, 'hops'> | undefined;
  readonly #hops: PingHop[] = [];
  /** When what is not answered yet counts as lost. */
  deadlineMs: number;

  constructor(target: AskedTarget, sequence: number, context: PingContext) {
    this.#target = target;
    this.#sequence = sequence;
    this.#context = context;
    this.deadlineMs = context.nowMs() + context.timeoutMs;
  }

  start(): void {
    const { routerId } = this.#target;
    this.#ask(routerId, (end, tookMs) => this.#answered(end, tookMs));
  }

  #ask(routerId: string, ended: (end: InquiryEnd, tookMs: number) => void): void {
    const { forwarder, nowMs, isForeign } = this.#context;
    const sentMs = nowMs();
    const way = isForeign(routerId)
      ? { name: managementName, properties: managementProperties, body: managementBody }
      : { name: pingName, body: noFields };
    const inquiry: Inquiry = new Inquiry({
      forwarder,
      routerId,
      ...way,
      ended: (end) => {
        this.#open.delete(inquiry);
        ended(end, nowMs() - sentMs);
      },
    });
    this.#open.add(inquiry);
    inquiry.start();
  }

  #answered(end: InquiryEnd, tookMs: number): void {
    const { routerId } = this.#target;
    const foreign = this.#context.isForeign(routerId);
    const base = { routerId, sequence: this.#sequence, reason: '', roundTripMs: null, wayBack: [], version: null };
    if (end.outcome !== 'answered') {
      const outcome = end.outcome === 'not-taken' && this.#target.isAble ? 'lost' : outcomeOf(end);
      this.#settle({ ...base, outcome, reason: end.outcome === 'refused' ? end.reason : '' }, this.#target.way);
      return;
    }
    const { content, trace: wayBack } = end;
    const version = foreign ? readManagementVersion(content.body) : readPingAnswer(content.body).version;
    // Of a router of another kind only the way back is known.
    const way = foreign ? wayBack.toReversed() : [...readPingAnswer(content.body).trace.slice(1), routerId];
    this.#settle({ ...base, outcome: 'answered', roundTripMs: tookMs, wayBack, version: version ?? null }, way);
  }

  /** The target is done with: now the routers on the way. */
  #settle(result: Omit<PingResult, 'hops'>, way: readonly string[]): void {
    const { nowMs, timeoutMs } = this.#context;
    this.deadlineMs = nowMs() + timeoutMs;
    way.slice(0, -1).forEach((routerId, index) => {
      this.#hops.push({ routerId, outcome: index < maxHopsPinged ? 'lost' : 'not-asked', roundTripMs: null });
    });
    const { routerId, outcome, roundTripMs } = result;
    this.#hops.push({ routerId, outcome, roundTripMs });
    for (const [index, hop] of this.#hops.entries()) {
      if (index === this.#hops.length - 1 || hop.outcome === 'not-asked') continue;
      this.#ask(hop.routerId, (end, tookMs) => {
        this.#hops[index] = { routerId: hop.routerId, outcome: outcomeOf(end), roundTripMs: end.outcome === 'answered' ? tookMs : null };
        this.#finishWhenDone();
      });
    }
    // Answers that came at once do not end it before all are asked.
    this.#result = result;
    this.#finishWhenDone();
  }

  #finishWhenDone(): void {
    const result = this.#result;
    if (result === undefined || this.#open.size > 0) return;
    this.#result = undefined;
    this.deadlineMs = Infinity;
    this.#context.ended({ ...result, hops: [...this.#hops] });
  }

  handleTimeout(nowMs: number): void {
    if (nowMs < this.deadlineMs) return;
    for (const inquiry of this.#open) inquiry.cancel();
    this.#open.clear();
    if (this.#result === undefined) this.#answered({ outcome: 'lost' }, 0);
    else this.#finishWhenDone();
  }

  stop(): void {
    for (const inquiry of this.#open) inquiry.cancel();
    this.#open.clear();
    this.deadlineMs = Infinity;
  }
}

function outcomeOf(end: InquiryEnd): PingOutcome {
  switch (end.outcome) {
    case 'answered':
      return 'answered';
    case 'no-way':
      return 'no-way';
    case 'not-taken':
      return 'unable';
    case 'refused':
      return end.isLimited ? 'limited' : 'unable';
    default:
      return 'lost';
  }
}
