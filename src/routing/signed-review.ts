import type { SignedDatabase } from './signed-database.ts';

/** Origins whose credentials are looked at in one turn: about a microsecond each. */
const originsPerTurn = 512;
/** Records that have waited and are judged in one turn: each may cost a signature to verify, about 0.1 ms. */
const recordsPerTurn = 64;
/** Between two turns, for whatever else there is to do. All of 16,384 origins are looked at within 0.2 s. */
const turnPauseMs = 5;
/** A new round begins at most this often: the credentials of a large network are decided one by one. */
const roundIntervalMs = 50;

/**
 * Looks at everything again that rests on credentials, after they may have changed: those held may not hold any more, and those that were being
 * checked may be decided. In a large network that is spread over many turns, so that none of them is long.
 */
export class CredentialReview {
  readonly #database: SignedDatabase;
  /** When a round is to begin; Infinity if none is asked for. */
  #beginMs = Infinity;
  #begunMs = -Infinity;
  #nextTurnMs = Infinity;
  /** Where the round goes on, and how many origins it has yet to look at. */
  #cursor = 0;
  #heldLeft = 0;
  #waitingLeft = 0;

  constructor(database: SignedDatabase) {
    this.#database = database;
  }

  /** When `turn` has something to do. */
  get dueMs(): number {
    return Math.min(this.#beginMs, this.#nextTurnMs);
  }

  /** Asks for a round: soon, or at once where nothing else may be told before. */
  ask(isUrgent: boolean, nowMs: number): void {
    const earliestMs = isUrgent ? nowMs : Math.max(nowMs, this.#begunMs + roundIntervalMs);
    this.#beginMs = Math.min(this.#beginMs, earliestMs);
  }

  /** Whether a round begins in the turn that is due now. */
  begins(nowMs: number): boolean {
    return nowMs >= this.#beginMs;
  }

  /** One turn of a round: the origins found whose credential is refused. What waited and is decided now is judged. */
  turn(nowMs: number): number[] {
    if (this.begins(nowMs)) this.#begin(nowMs);
    const refused: number[] = [];
    const { store } = this.#database;
    for (let left = Math.min(originsPerTurn, this.#heldLeft); left > 0; left--, this.#heldLeft--) {
      this.#cursor = this.#cursor + 1 < store.end ? this.#cursor + 1 : 0;
      if (this.#database.isRefused(this.#cursor)) refused.push(this.#cursor);
    }
    this.#retry();
    this.#nextTurnMs = this.#heldLeft > 0 || this.#waitingLeft > 0 ? nowMs + turnPauseMs : Infinity;
    return refused;
  }

  #begin(nowMs: number): void {
    this.#beginMs = Infinity;
    this.#begunMs = nowMs;
    // A round that was under way goes on from where it is, once around.
    this.#heldLeft = this.#database.store.end;
    this.#waitingLeft = this.#database.originsPending;
  }

  #retry(): void {
    const origins = Math.min(originsPerTurn, this.#waitingLeft);
    if (origins === 0) return;
    const looked = this.#database.retryPending({ origins, records: recordsPerTurn });
    this.#waitingLeft = looked === 0 ? 0 : this.#waitingLeft - looked;
  }
}
