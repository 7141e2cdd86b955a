import { createHash, randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';

/** Without any request for this long, a session ends. An event stream that is read counts as requests. */
const idleLimitMs: number = 30 * 60_000;
/** However much it is used, a session ends after a working day. */
const lifetimeMs: number = 12 * 3_600_000;
/** Of all users. The one that was not used for longest ends when another is opened. About 300 bytes each. */
const maxSessions = 64;

/** A browser that has logged in. */
export interface Session {
  /** For the list of sessions; proves nothing. */
  readonly number: number;
  readonly user: string;
  readonly how: 'link' | 'password';
  /** Of the password that was used, see `Passwords.mark`; empty for a link. */
  readonly passwordMark: string;
  readonly remoteAddress: string;
  readonly openedWallMs: number;
  /** Milliseconds since the epoch when it ends at the latest. */
  readonly expiresMs: number;
  /** Aborted when it has ended. */
  readonly ended: AbortSignal;
}

interface Entry {
  readonly session: Session;
  readonly end: AbortController;
  readonly openedMs: number;
  usedMs: number;
  usedWallMs: number;
}

/** Sessions live in memory: they end with the process. Ids are kept as hashes only, so that no dump of memory gives one. */
export class Sessions {
  readonly #clock: Clock;
  /** By hash of the id, the longest unused one first. */
  readonly #entries: Map<string, Entry> = new Map<string, Entry>();
  #opened = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Opens a session and gives the id, of 256 random bits, that its cookie carries. */
  open(login: Pick<Session, 'user' | 'how' | 'passwordMark' | 'remoteAddress'>): { readonly id: string; readonly session: Session } {
    if (this.#entries.size >= maxSessions) {
      const [longestUnused] = this.#entries.keys();
      if (longestUnused !== undefined) this.#end(longestUnused);
    }
    const id = randomBytes(32).toString('base64url');
    const end = new AbortController();
    const wallMs = this.#clock.wallMs();
    const session: Session = {
      ...login,
      number: ++this.#opened,
      openedWallMs: wallMs,
      expiresMs: wallMs + lifetimeMs,
      ended: end.signal,
    };
    const nowMs = this.#clock.nowMs();
    this.#entries.set(hashOf(id), { session, end, openedMs: nowMs, usedMs: nowMs, usedWallMs: wallMs });
    return { id, session };
  }

  /** The session of an id, which counts as use of it. */
  find(id: string): Session | undefined {
    const key = hashOf(id);
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (this.#isOver(entry)) {
      this.#end(key);
      return undefined;
    }
    this.#touch(key, entry);
    return entry.session;
  }

  /** Counts as use: its event stream is being read. */
  use(session: Session): void {
    const found = [...this.#entries].find(([, entry]) => entry.session === session);
    if (found !== undefined) this.#touch(...found);
  }

  endOne(session: Session): void {
    this.#endThose((candidate) => candidate === session);
  }

  /** Ends all, or those of one user; gives how many. */
  endAll(user?: string): number {
    return this.#endThose((session) => user === undefined || session.user === user);
  }

  /** Ends those whose time is over. */
  sweep(): void {
    for (const [key, entry] of this.#entries) if (this.#isOver(entry)) this.#end(key);
  }

  list(): readonly { readonly session: Session; readonly usedWallMs: number }[] {
    this.sweep();
    return [...this.#entries.values()].map(({ session, usedWallMs }) => ({ session, usedWallMs }));
  }

  /** By both clocks: one stands still while the machine sleeps, the other may be set back. */
  #isOver({ session, openedMs, usedMs, usedWallMs }: Entry): boolean {
    const nowMs = this.#clock.nowMs();
    const wallMs = this.#clock.wallMs();
    const unusedMs = Math.max(nowMs - usedMs, wallMs - usedWallMs);
    return unusedMs >= idleLimitMs || nowMs - openedMs >= lifetimeMs || wallMs >= session.expiresMs;
  }

  #touch(key: string, entry: Entry): void {
    entry.usedMs = this.#clock.nowMs();
    entry.usedWallMs = this.#clock.wallMs();
    this.#entries.delete(key);
    this.#entries.set(key, entry);
  }

  #endThose(isMeant: (session: Session) => boolean): number {
    const keys = [...this.#entries].filter(([, { session }]) => isMeant(session)).map(([key]) => key);
    for (const key of keys) this.#end(key);
    return keys.length;
  }

  #end(key: string): void {
    const entry = this.#entries.get(key);
    this.#entries.delete(key);
    entry?.end.abort();
  }
}

function hashOf(id: string): string {
  return createHash('sha256').update(id).digest('base64');
}
