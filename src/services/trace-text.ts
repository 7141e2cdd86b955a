import type { RouterAnnotations } from '../forwarding/router-annotations.ts';

/** Longest trace in a record, in characters: as long as skupper-router's. */
const maxTraceCharacters = 1000;

/** The routers that a message has passed before this one, as records tell them: `0/a|0/b`, or `Local`. */
export function traceText({ trace }: RouterAnnotations): string {
  return trace.length === 0 ? 'Local' : trace.join('|').slice(0, maxTraceCharacters);
}
