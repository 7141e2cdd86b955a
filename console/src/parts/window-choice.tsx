import type { JSX } from 'preact';
import { timeWindows, usualWindowMs, windowOption } from '../model/time-window.ts';
import { useConsole, useConsoleState } from '../state/use-console.ts';
import { Segments } from './segments.tsx';

/** Over what time golden metrics are shown, on all pages. */
export function WindowChoice(): JSX.Element {
  const owner = useConsole();
  const windowMs = useConsoleState((state) => state.windowMs);
  return (
    <Segments
      label="Time window"
      options={timeWindows.map(({ ms, text }) => ({ value: String(ms), text }))}
      value={String(windowMs)}
      onChange={(value) => owner.setWindow(Number(value))}
    />
  );
}

/** `-t` of commands that print the same as what is shown now. */
export function useWindowOption(): { readonly t: string | null } {
  return { t: useConsoleState(({ snapshot }) => windowOption(snapshot?.windowMs ?? usualWindowMs)) };
}
