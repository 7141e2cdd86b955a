import type { ControlMap } from './control-message.ts';
import type { Flood } from './flood.ts';
import { isInRange, maxSummaryOctets, readSummary, summarise } from './record-summary.ts';
import type { RecordStore } from './record-store.ts';
import type { RouterIndex } from './router-index.ts';
import type { Statements } from './statements.ts';

/** What two neighbours hold, told and compared (SUM): whoever has more sends what the other lacks. */
export class FloodSummaries {
  readonly #flood: Flood;
  readonly #store: RecordStore;
  readonly #statements: Statements;
  readonly #index: RouterIndex;

  constructor(flood: Flood, store: RecordStore, statements: Statements, index: RouterIndex) {
    this.#flood = flood;
    this.#store = store;
    this.#statements = statements;
    this.#index = index;
  }

  send(link: number): void {
    const held = [...this.#store.current()].sort((one, other) => (one.origin < other.origin ? -1 : 1));
    this.#flood.summarise(link, summarise(held), this.#statements.names());
  }

  /** False if it is malformed. */
  receive(link: number, body: ControlMap, nowMs: number): boolean {
    const after = body.get('after');
    const upTo = body.get('upTo');
    const entries = body.get('entries');
    if (typeof after !== 'string' || typeof upTo !== 'string' || !(entries instanceof Uint8Array)) return false;
    if (entries.length > maxSummaryOctets) return false;
    if (!this.#flood.takesSummary(link, nowMs)) return true;
    const listed = readSummary(entries);
    if (listed === undefined) return false;
    if (body.has('statements')) this.#flood.answerStatements(link, this.#statements.missingFrom(body.get('statements')), nowMs);
    for (const state of this.#store.current()) {
      if (isInRange(state.origin, { after, upTo })) this.#flood.answer(link, state.records(), listed.get(state.origin), nowMs);
    }
    // Of the routers that the other end believes to reach, this one may hold newer records without a path of its own to them.
    for (const [routerId, slots] of listed) {
      const state = this.#store.of(routerId);
      if (state !== undefined && !this.#store.isReachable(this.#index.find(routerId))) {
        this.#flood.answer(link, state.records(), slots, nowMs);
      }
    }
    return true;
  }
}
