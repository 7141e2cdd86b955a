import type { JSX } from 'preact';
import { clockText, roughSpanText } from '../format/time-text.ts';
import { useConsoleState, useNowMs } from '../state/use-console.ts';

/** Whether what is shown is of now. */
export function LiveState(): JSX.Element {
  const stream = useConsoleState((state) => state.stream);
  const atMs = useConsoleState(({ snapshot }) => snapshot?.atMs ?? null);
  const text = stream === 'live' ? 'Live' : stream === 'connecting' ? 'Connecting' : 'Not live';
  return (
    <span class={`live-state is-${stream}`} role="status" title={atMs === null ? undefined : `As of ${clockText(atMs)}`}>
      <span class="live-dot" aria-hidden="true" />
      {text}
    </span>
  );
}

/** Says since when nothing came, while nothing comes. */
export function StaleNotice(): JSX.Element | null {
  const stream = useConsoleState((state) => state.stream);
  const atMs = useConsoleState(({ snapshot }) => snapshot?.atMs ?? null);
  const nowMs = useNowMs();
  if (stream !== 'lost') return null;
  return (
    <div class="stale-notice" role="alert">
      {atMs === null
        ? 'The observer does not answer. Trying again…'
        : `Not live: no data since ${clockText(atMs)}, ${roughSpanText(nowMs - atMs)} ago. Trying again…`}
    </div>
  );
}
