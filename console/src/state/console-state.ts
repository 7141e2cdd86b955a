import type { NetworkSnapshot, RequestRow } from '../../../src/flows/network-snapshot.ts';
import type { Route } from './route.ts';
import type { ObserverState, SiteStatus } from '../model/site-status.ts';

/** `lost`: nothing came for longer than it should. */
export type StreamState = 'connecting' | 'live' | 'lost';

export type Session =
  | { readonly state: 'unknown' }
  | { readonly state: 'out'; readonly message: string | null }
  | { readonly state: 'in'; readonly user: string; readonly expiresMs: number | null };

export type Theme = 'system' | 'light' | 'dark';

/** Everything that the pages show, but for what they ask for themselves. */
export interface ConsoleState {
  readonly session: Session;
  readonly route: Route;
  readonly theme: Theme;
  readonly helpOpen: boolean;
  /** What is typed into the search box; pages show what matches. */
  readonly search: string;
  readonly stream: StreamState;
  /** Over what time golden metrics are asked for; those of `snapshot` may be of another one for a moment. */
  readonly windowMs: number;
  readonly snapshot: NetworkSnapshot | null;
  /** When the last event came, by this machine's clock. */
  readonly lastEventMs: number | null;
  /** What to add to this machine's clock to get the observer's. */
  readonly clockSkewMs: number;
  /** Requests as they come, the newest last; at most `liveRequestLimit`. */
  readonly liveRequests: readonly RequestRow[];
  /** Requests that the observer had no room to tell, since the page was opened. */
  readonly untoldRequests: number;
  /** The observer's own site; null until it is known. */
  readonly site: SiteStatus | null;
  readonly observer: ObserverState | null;
  readonly siteError: string | null;
}

/** Enough for the filters of the live page to find something; a few hundred kilobytes. */
export const liveRequestLimit = 1000;

export function firstState(route: Route, theme: Theme, windowMs: number): ConsoleState {
  return {
    session: { state: 'unknown' },
    route,
    theme,
    helpOpen: false,
    search: '',
    stream: 'connecting',
    windowMs,
    snapshot: null,
    lastEventMs: null,
    clockSkewMs: 0,
    liveRequests: [],
    untoldRequests: 0,
    site: null,
    observer: null,
    siteError: null,
  };
}

/** Rows with new ones added: a row that is there already is replaced, the oldest leave. */
export function addRequests(rows: readonly RequestRow[], added: readonly RequestRow[]): readonly RequestRow[] {
  const byId = new Map(rows.map((row) => [row.id, row]));
  for (const row of added) byId.set(row.id, row);
  return [...byId.values()].slice(-liveRequestLimit);
}
