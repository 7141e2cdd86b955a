import { ApiError, getJson, postJson } from './api.ts';
import { firstState, type ConsoleState, type Session, type Theme } from './console-state.ts';
import { EventStream } from './event-stream.ts';
import { NetworkPlaces } from '../layout/network-places.ts';
import { parseRoute, routeFragment, type Route } from './route.ts';
import { Store } from './store.ts';
import { timeWindowOf, usualWindowMs } from '../model/time-window.ts';
import type { SiteAnswer } from '../model/site-status.ts';

const themeKey = 'caravan-theme';
const windowKey = 'caravan-window';
const siteRefreshMs = 15_000;
const sessionOver = 'The session is over. Log in again.';

/** The console behind its pages: the store, and everything that changes it. */
export class Console {
  readonly store: Store<ConsoleState>;
  /** Where the sites are drawn; kept while pages come and go. */
  readonly places: NetworkPlaces = new NetworkPlaces();
  #stream: EventStream | undefined;
  #siteTimer: number | undefined;

  constructor() {
    this.store = new Store(firstState(parseRoute(location.hash), storedTheme(), storedWindowMs()));
    addEventListener('hashchange', () => this.#followAddress());
  }

  /** Logs in with the code of a login link if the address has one, else looks whether there is a session. */
  async start(): Promise<void> {
    const code = takeLoginCode();
    if (code === null) await this.#checkSession();
    else await this.login({ code });
  }

  /** Never fails: the session says what came of it. */
  async login(proof: { readonly code: string } | { readonly user: string; readonly password: string }): Promise<void> {
    try {
      await postJson('login', proof);
      await this.#checkSession();
    } catch (error) {
      const isLink = 'code' in proof;
      const refused = error instanceof ApiError && error.status >= 400 && error.status < 500;
      this.#signedOut(refused && isLink ? 'This login link was used before, or is too old. A new one: van console' : messageOf(error));
    }
  }

  async logout(): Promise<void> {
    await postJson('logout', {}).catch(() => undefined);
    this.#signedOut(null);
  }

  /** Shows a page. `replace` leaves no step behind for the back button. */
  go(route: Route, replace = false): void {
    const fragment = routeFragment(route);
    if (fragment === location.hash) return;
    if (replace) {
      history.replaceState(null, '', fragment);
      this.#followAddress();
    } else {
      location.hash = fragment;
    }
  }

  /** Changes parameters of the page that is shown; an empty one is left out. */
  setParameters(change: Readonly<Record<string, string>>, replace = true): void {
    const { route } = this.store.state;
    this.go({ page: route.page, parameters: { ...route.parameters, ...change } }, replace);
  }

  /** Asks for golden metrics over another time. */
  setWindow(windowMs: number): void {
    if (windowMs === this.store.state.windowMs) return;
    keep(windowKey, windowMs === usualWindowMs ? null : String(windowMs));
    this.store.update({ windowMs });
    this.#stream?.restart();
  }

  setTheme(theme: Theme): void {
    keep(themeKey, theme === 'system' ? null : theme);
    if (theme === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
    this.store.update({ theme });
  }

  /** Asks; a session that is over leads to the login page. Errors: ApiError. */
  async get<T>(path: string, parameters: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<T> {
    try {
      return await getJson<T>(path, parameters, signal);
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) this.#signedOut(sessionOver);
      throw error;
    }
  }

  #followAddress(): void {
    const code = takeLoginCode();
    if (code !== null) void this.login({ code });
    const { page } = this.store.state.route;
    const route = parseRoute(location.hash);
    this.store.update(route.page === page ? { route } : { route, search: '' });
  }

  async #checkSession(): Promise<void> {
    try {
      const { user, expiresMs } = await getJson<{ readonly user?: string; readonly expiresMs?: number }>('session');
      this.#signedIn({ state: 'in', user: user ?? '', expiresMs: expiresMs ?? null });
    } catch (error) {
      const wasIn = this.store.state.session.state === 'in';
      if (error instanceof ApiError && error.status === 401) this.#signedOut(wasIn ? sessionOver : null);
      else if (!wasIn) this.#signedOut(messageOf(error));
    }
  }

  #signedIn(session: Session): void {
    this.store.update({ session });
    this.#stream ??= new EventStream(this.store, () => void this.#checkSession());
    if (this.#siteTimer !== undefined) return;
    this.#siteTimer = window.setInterval(() => void this.#refreshSite(), siteRefreshMs);
    void this.#refreshSite();
  }

  #signedOut(message: string | null): void {
    this.#stream?.[Symbol.dispose]();
    this.#stream = undefined;
    window.clearInterval(this.#siteTimer);
    this.#siteTimer = undefined;
    const { route, theme, windowMs } = this.store.state;
    this.store.update({ ...firstState(route, theme, windowMs), session: { state: 'out', message } });
  }

  async #refreshSite(): Promise<void> {
    if (document.hidden) return;
    try {
      const { status, observer = null } = await this.get<SiteAnswer>('site', {});
      this.store.update({ site: status, observer, siteError: null });
    } catch (error) {
      if (this.store.state.session.state === 'in') this.store.update({ siteError: messageOf(error) });
    }
  }
}

/** The code of `login#code=...`, which then leaves the address, so that it is neither kept in the history nor copied with it. */
function takeLoginCode(): string | null {
  const code = /^#code=(?<code>[\w-]{1,512})$/.exec(location.hash)?.groups?.['code'];
  if (code === undefined) return null;
  history.replaceState(null, '', './');
  return code;
}

function keep(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // Without storage the choice holds until the page is closed.
  }
}

function storedWindowMs(): number {
  try {
    return timeWindowOf(Number(localStorage.getItem(windowKey)))?.ms ?? usualWindowMs;
  } catch {
    return usualWindowMs;
  }
}

function storedTheme(): Theme {
  const theme = document.documentElement.dataset['theme'];
  return theme === 'dark' || theme === 'light' ? theme : 'system';
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'Something went wrong.';
}
