/** Does its work at the end of a turn of the event loop. */
export interface EndOfTurnTask {
  endOfTurn(): void;
}

/** Runs work at the end of the current turn. The host implements it. */
export interface EndOfTurn {
  /** Runs `task` at the end of this turn; the caller adds it once per turn. */
  add(task: EndOfTurnTask): void;
  /** Something has been given to a connection: it is to be written. */
  touch(): void;
}
