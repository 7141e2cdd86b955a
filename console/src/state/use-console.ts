import { createContext, type Context } from 'preact';
import { useContext, useEffect, useReducer, useRef, useState } from 'preact/hooks';
import type { ConsoleState } from './console-state.ts';
import { messageOf, type Console } from './console.ts';

export const ConsoleContext: Context<Console | null> = createContext<Console | null>(null);

export function useConsole(): Console {
  const found = useContext(ConsoleContext);
  if (found === null) throw new Error('the component stands outside of the console');
  return found;
}

/** A part of the state; the component is shown again only when that part is another. */
export function useConsoleState<T>(select: (state: ConsoleState) => T): T {
  const { store } = useConsole();
  const selected = select(store.state);
  const [, again] = useReducer<number, undefined>((count) => count + 1, 0);
  const latest = useRef({ select, selected });
  latest.current = { select, selected };
  useEffect(() => {
    const look = (): void => {
      if (!Object.is(latest.current.select(store.state), latest.current.selected)) again(undefined);
    };
    look();
    return store.subscribe(look);
  }, [store]);
  return selected;
}

/** The observer's time, which goes on by the second. */
export function useNowMs(): number {
  const skewMs = useConsoleState(({ clockSkewMs }) => clockSkewMs);
  const [nowMs, setNowMs] = useState(Date.now);
  useEffect(() => {
    const timer = window.setInterval(() => setNowMs(Date.now()), 1000);
    return () => window.clearInterval(timer);
  }, []);
  return nowMs + skewMs;
}

export interface Answer<T> {
  readonly value: T | null;
  readonly error: string | null;
  readonly loading: boolean;
}

/**
 * What the observer answers to a GET. It is asked again when path, parameters or `again` change, and each `everyMs` while the page can be seen; the
 * last answer stays until the next is there. An empty path asks for nothing.
 */
export function useAnswer<T>(path: string, parameters: Readonly<Record<string, string>> = {}, everyMs = 0, again = 0): Answer<T> {
  const owner = useConsole();
  const [answer, setAnswer] = useState<Answer<T>>({ value: null, error: null, loading: path !== '' });
  const query = JSON.stringify(parameters);
  useEffect(() => {
    if (path === '') {
      setAnswer({ value: null, error: null, loading: false });
      return undefined;
    }
    const ending = new AbortController();
    const ask = async (): Promise<void> => {
      try {
        const value = await owner.get<T>(path, JSON.parse(query) as Record<string, string>, ending.signal);
        if (!ending.signal.aborted) setAnswer({ value, error: null, loading: false });
      } catch (error) {
        if (!ending.signal.aborted) setAnswer((before) => ({ value: before.value, error: messageOf(error), loading: false }));
      }
    };
    setAnswer((before) => ({ ...before, loading: true }));
    void ask();
    const timer = everyMs === 0 ? undefined : window.setInterval(() => (document.hidden ? undefined : void ask()), everyMs);
    return () => {
      ending.abort();
      window.clearInterval(timer);
    };
  }, [owner, path, query, everyMs, again]);
  return answer;
}
