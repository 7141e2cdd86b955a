import type { ControlMap, ControlValue } from './control-message.ts';
import type { Outbox } from './outbox.ts';
import { RateBudget } from './rate-budget.ts';
import { lacks, type RecordSummary, type SlotSummary } from './record-summary.ts';
import type { SignedRecord } from './signed-record.ts';

/** Octets of records in one message. */
const messageOctets = 61_440;
/** Changes that come within this time after others went out wait for it, so that a storm becomes a few messages. */
const gatherMs = 10;
/**
 * The same after a turn that made so many records new: a network starts, or joins another, and everybody has something new at any moment. What
 * is gathered for longer makes a third of the messages, and work on many records in a row costs less for each.
 */
const gatherManyMs = 40;
const manyRecords = 16;
/** Octets that one neighbour is sent at a time when it lacks much; the rest follows after `gatherMs`. */
const backlogOctetsAtATime = 4 * messageOctets;
/** Records waiting for one neighbour: all slots that 16,384 origins usually have. Beyond it the next summary finds what is missing. */
const maxBacklog = 65_536;
/**
 * Octets that a neighbour may get by asking with summaries: the records of a large network at once, then a steady rate. A small question
 * must not buy a large answer without end.
 */
const answerOctets = 33_554_432;
const answerOctetsPerMs = 1_024;
/** Digests that differ this long while neither changes are a sign that something was missed. */
const divergedMs = 2_000;
/** In a network that does not come to rest, digests that have not been equal for so long are. */
const restlessMs = 30_000;
/** Summaries are repeated with pauses that double up to this. */
const longestSummaryPauseMs = 60_000;
/** Summaries read from one neighbour: those of a large network in a row, then so many. Each is compared with all that is held. */
const summariesInARow = 256;
const summaryRefillMs = 100;

/** A neighbour that signs. */
interface FloodPeer {
  readonly link: number;
  readonly routerId: string;
  /** The link works both ways: it is sent records. */
  confirmed: boolean;
  backlog: SignedRecord[];
  backlogAt: number;
  answerLeft: number;
  answerCountedMs: number;
  /** The last digests, its and own, that were not equal, and since when. */
  theirDigest: number;
  ownDigest: number;
  differentSinceMs: number;
  /** When they were last equal, or a summary was last sent. */
  equalMs: number;
  summaryPauseMs: number;
  nextSummaryMs: number;
  /** When a summary was last sent to it. */
  summarisedMs: number;
  readonly summariesRead: RateBudget;
}

/**
 * Carries records from hop to hop: what is new goes to all other neighbours that sign, and a neighbour whose summary shows that it
 * lacks something gets that.
 */
export class Flood {
  readonly #selfId: string;
  readonly #outbox: Outbox;
  readonly #peers = new Map<number, FloodPeer>();
  /** New records by the link that they came in on; own ones under -1. */
  readonly #news = new Map<number, SignedRecord[]>();
  readonly #newStatements = new Map<number, Uint8Array[]>();
  #sentMs = -Infinity;
  #gatherMs = gatherMs;
  /** New records that wait to be sent. */
  #newsCount = 0;
  #dueMs = Infinity;

  constructor(selfId: string, outbox: Outbox) {
    this.#selfId = selfId;
    this.#outbox = outbox;
  }

  /** When `send` has something to do. */
  get dueMs(): number {
    return this.#dueMs;
  }

  /** The router at the end of a link that signs. */
  signerOn(link: number): string | undefined {
    return this.#peers.get(link)?.routerId;
  }

  signers(): Iterable<{ readonly link: number; readonly routerId: string }> {
    return this.#peers.values();
  }

  /** HELLO of a neighbour that signs. True when a summary is to be sent: the link has just come up, or something was missed. */
  heard(link: number, routerId: string, confirmed: boolean, theirDigest: number, ownDigest: number, nowMs: number): boolean {
    let peer = this.#peers.get(link);
    if (peer === undefined) {
      peer = {
        link,
        routerId,
        confirmed: false,
        backlog: [],
        backlogAt: 0,
        answerLeft: answerOctets,
        answerCountedMs: nowMs,
        theirDigest,
        ownDigest,
        differentSinceMs: Infinity,
        equalMs: nowMs,
        summaryPauseMs: divergedMs,
        nextSummaryMs: -Infinity,
        summarisedMs: -Infinity,
        summariesRead: new RateBudget(summariesInARow, summaryRefillMs),
      };
      this.#peers.set(link, peer);
    }
    const isNew = confirmed && !peer.confirmed;
    peer.confirmed = confirmed;
    if (theirDigest === ownDigest) {
      peer.differentSinceMs = Infinity;
      peer.equalMs = nowMs;
      peer.summaryPauseMs = divergedMs;
      return false;
    }
    // A neighbour that says again and again that it has only now heard this router is not told everything each time.
    if (isNew && nowMs - peer.summarisedMs >= divergedMs) return this.#takeSummary(peer, nowMs);
    const changed = theirDigest !== peer.theirDigest || ownDigest !== peer.ownDigest;
    peer.theirDigest = theirDigest;
    peer.ownDigest = ownDigest;
    if (changed || peer.differentSinceMs === Infinity) peer.differentSinceMs = nowMs;
    const diverged = nowMs - peer.differentSinceMs >= divergedMs || nowMs - peer.equalMs >= restlessMs;
    return confirmed && diverged && nowMs >= peer.nextSummaryMs && this.#takeSummary(peer, nowMs);
  }

  #takeSummary(peer: FloodPeer, nowMs: number): boolean {
    peer.nextSummaryMs = nowMs + peer.summaryPauseMs;
    peer.summaryPauseMs = Math.min(longestSummaryPauseMs, peer.summaryPauseMs * 2);
    peer.differentSinceMs = nowMs;
    peer.equalMs = nowMs;
    peer.summarisedMs = nowMs;
    return true;
  }

  linkDown(link: number): void {
    this.#peers.delete(link);
  }

  /** Whether a summary of this neighbour is to be read now; the next one after it finds the same. */
  takesSummary(link: number, nowMs: number): boolean {
    return this.#peers.get(link)?.summariesRead.take(nowMs) === true;
  }

  /** Something new, for everybody but the neighbour on the link that it came from (-1: from here). */
  spread(record: SignedRecord, fromLink: number, nowMs: number): void {
    const news = this.#news.get(fromLink);
    if (news === undefined) this.#news.set(fromLink, [record]);
    else news.push(record);
    this.#newsCount++;
    this.#dueMs = Math.min(this.#dueMs, Math.max(nowMs, this.#sentMs + this.#gatherMs));
  }

  spreadStatement(statement: Uint8Array, fromLink: number, nowMs: number): void {
    const news = this.#newStatements.get(fromLink);
    if (news === undefined) this.#newStatements.set(fromLink, [statement]);
    else news.push(statement);
    this.#dueMs = Math.min(this.#dueMs, nowMs);
  }

  /** Sends summaries, the first with the digests of the statements held. */
  summarise(link: number, summaries: readonly RecordSummary[], statements: readonly ControlValue[]): void {
    for (const [place, { after, upTo, entries }] of summaries.entries()) {
      const body = this.#body();
      body.set('after', after);
      body.set('upTo', upTo);
      body.set('entries', entries);
      if (place === 0) body.set('statements', statements);
      this.#outbox.toSigners([link], 'SUM', body);
    }
  }

  /** Sends a neighbour statements that it lacks, ahead of all records. */
  answerStatements(link: number, statements: readonly Uint8Array[], nowMs: number): void {
    const peer = this.#peers.get(link);
    let octets = 0;
    for (const statement of statements) octets += statement.length;
    if (peer !== undefined && this.#takeAnswer(peer, octets, nowMs)) this.#sendStatements([link], statements);
  }

  /** Queues the records of these that a neighbour lacks by its summary. */
  answer(link: number, records: Iterable<SignedRecord>, listed: readonly SlotSummary[] | undefined, nowMs: number): void {
    const peer = this.#peers.get(link);
    if (peer === undefined) return;
    for (const record of records) {
      if (!lacks(listed, record)) continue;
      if (peer.backlog.length - peer.backlogAt >= maxBacklog || !this.#takeAnswer(peer, record.bytes.length, nowMs)) return;
      peer.backlog.push(record);
      this.#dueMs = Math.min(this.#dueMs, nowMs);
    }
  }

  #takeAnswer(peer: FloodPeer, octets: number, nowMs: number): boolean {
    peer.answerLeft = Math.min(answerOctets, peer.answerLeft + (nowMs - peer.answerCountedMs) * answerOctetsPerMs);
    peer.answerCountedMs = nowMs;
    if (peer.answerLeft < octets) return false;
    peer.answerLeft -= octets;
    return true;
  }

  /** Sends what is due. */
  send(nowMs: number): void {
    if (nowMs < this.#dueMs) return;
    this.#dueMs = Infinity;
    this.#sentMs = nowMs;
    for (const [fromLink, statements] of this.#newStatements) this.#sendStatements(this.#linksExcept(fromLink), statements);
    this.#newStatements.clear();
    // What a neighbour lacks goes first: what is new may rest on it, as on a credential, and would be dropped there.
    for (const peer of this.#peers.values()) this.#sendBacklog(peer, nowMs);
    for (const [fromLink, records] of this.#news) {
      const links = this.#linksExcept(fromLink).filter((link) => !this.#queueBehindBacklog(link, records));
      if (links.length > 0) this.#sendRecords(links, records, 0, Infinity);
    }
    this.#news.clear();
    this.#gatherMs = this.#newsCount >= manyRecords ? gatherManyMs : gatherMs;
    this.#newsCount = 0;
  }

  /** Has what is new wait behind what a neighbour still lacks; false if that is nothing. */
  #queueBehindBacklog(link: number, records: readonly SignedRecord[]): boolean {
    const peer = this.#peers.get(link);
    if (peer === undefined || peer.backlogAt >= peer.backlog.length) return false;
    for (const record of records) if (peer.backlog.length - peer.backlogAt < maxBacklog) peer.backlog.push(record);
    return true;
  }

  #sendBacklog(peer: FloodPeer, nowMs: number): void {
    if (peer.backlogAt >= peer.backlog.length) return;
    peer.backlogAt = this.#sendRecords([peer.link], peer.backlog, peer.backlogAt, backlogOctetsAtATime);
    if (peer.backlogAt < peer.backlog.length) {
      this.#dueMs = Math.min(this.#dueMs, nowMs + gatherMs);
      return;
    }
    peer.backlog = [];
    peer.backlogAt = 0;
  }

  #linksExcept(excluded: number): number[] {
    const links: number[] = [];
    for (const { link, confirmed } of this.#peers.values()) if (confirmed && link !== excluded) links.push(link);
    return links;
  }

  /** Sends records from `start` on, up to about so many octets; where the rest begins. */
  #sendRecords(links: readonly number[], records: readonly SignedRecord[], start: number, octets: number): number {
    let at = start;
    for (let left = octets; at < records.length && left > 0;) {
      const first = at;
      let size = 0;
      for (; at < records.length; at++) {
        const next = records[at]?.octets ?? 0;
        if (at > first && size + next > messageOctets) break;
        size += next;
      }
      this.#outbox.toSigners(links, 'REC', this.#body(), first === 0 && at === records.length ? records : records.slice(first, at));
      left -= size;
    }
    return at;
  }

  #sendStatements(links: readonly number[], statements: readonly Uint8Array[]): void {
    let chunk: Uint8Array[] = [];
    let size = 0;
    for (const statement of statements) {
      if (size > 0 && size + statement.length > messageOctets) {
        this.#outbox.toSigners(links, 'REC', this.#body().set('statements', chunk));
        chunk = [];
        size = 0;
      }
      chunk.push(statement);
      size += statement.length;
    }
    if (chunk.length > 0) this.#outbox.toSigners(links, 'REC', this.#body().set('statements', chunk));
  }

  #body(): Map<string, ControlValue> {
    return new Map<string, ControlValue>([
      ['id', this.#selfId],
      ['pv', 1],
    ]);
  }
}

/** The octets in a list of a body; undefined if there is something else in it. */
export function octetLists(body: ControlMap, key: string, limit: number): readonly Uint8Array[] | undefined {
  const value = body.get(key);
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length > limit) return undefined;
  const lists: Uint8Array[] = [];
  for (const element of value as readonly ControlValue[]) {
    if (!(element instanceof Uint8Array)) return undefined;
    lists.push(element);
  }
  return lists;
}
