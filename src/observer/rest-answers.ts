import { InputError, WeatherError } from '../base/errors.ts';
import type { NetworkSnapshot, RequestRow, RequestTrace, StatReport } from '../flows/network-snapshot.ts';
import { compareRequests, cursorText, parseCursor } from '../flows/request-order.ts';
import { requestTrace } from '../flows/request-trace.ts';
import { goldenOf } from './golden-sums.ts';
import type { History } from './history.ts';
import type { FlowSelection, HistoryQueries } from './history-queries.ts';
import type { ObserverState } from './observer-state.ts';
import { choiceParameter, durationParameter, integerParameter, statusParameter, textParameter } from './rest-parameters.ts';

/** The live model keeps so much; longer windows are answered from history. */
const liveWindowMs = 900_000;
const longestWindowMs = 3650 * 86_400_000;
const defaultWindowMs = 60_000;
/** A rollup of history may begin so much before the observer without being from one before it. */
const restartMs = 20_000;
const defaultRequests = 100;
const maxRequests = 1000;
/** Points of one answer: more than a page has pixels. */
const maxPoints = 5000;
const kinds = ['request', 'connection'] as const;
const latestMs = 8_640_000_000_000_000;

/** Thrown for what is not there. */
export class NotFound extends Error {
  override readonly name: string = 'NotFound';
}

export function networkAnswer({ model, clock }: ObserverState, query: URLSearchParams): NetworkSnapshot {
  return model.snapshot(durationParameter(query, 'window', defaultWindowMs, liveWindowMs), clock.wallMs());
}

export function statAnswer({ model, history, clock, startedMs }: ObserverState, query: URLSearchParams): StatReport {
  const nowMs = clock.wallMs();
  const windowMs = durationParameter(query, 'window', defaultWindowMs, longestWindowMs);
  const kind = choiceParameter(query, 'kind', ['service', 'site', 'server'] as const) ?? 'service';
  const name = textParameter(query, 'name');
  const from = textParameter(query, 'from');
  const to = textParameter(query, 'to');
  const firstMs = (historyOr(history, (queries) => queries.firstSeconds(), undefined) ?? nowMs / 1000) * 1000;
  // The live model is exact; history knows what was before the observer was started.
  if (windowMs <= liveWindowMs && (nowMs - startedMs >= windowMs || firstMs > startedMs - restartMs)) {
    const ends = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
    return model.stat({ kind, windowMs, ...(name === undefined ? {} : { name }), ...ends }, nowMs);
  }
  const seconds = { from: Math.floor((nowMs - windowMs) / 1000), to: Math.ceil(nowMs / 1000) };
  const selection = {
    ...seconds,
    source: from,
    dest: to,
    ...(kind === 'service' ? { service: name } : kind === 'site' ? { site: name } : {}),
  };
  const coveredMs = Math.max(1000, Math.min(windowMs, nowMs - firstMs));
  const rows = [...history.ask((queries) => queries.groups(selection, kind)).values()]
    .filter((row) => kind !== 'server' || name === undefined || row.name.includes(name) || row.of === name)
    .map(({ sums, ...row }) => ({ ...row, golden: goldenOf(sums, coveredMs / 1000, 0) }))
    .sort((a, b) => (a.of === b.of ? compare(a.name, b.name) : compare(a.of, b.of)));
  const dropped = { droppedFlows: model.droppedIn(windowMs, nowMs), droppedSinceStart: model.droppedFlows };
  return { windowMs, coveredMs, kind, rows, ...dropped };
}

/** What history says, or `otherwise` while there is none: live views do not depend on it. */
function historyOr<Answer>(history: History, question: (queries: HistoryQueries) => Answer, otherwise: Answer): Answer {
  try {
    return history.ask(question);
  } catch (error) {
    if (error instanceof WeatherError && error.code === 'history-stopped') return otherwise;
    throw error;
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** `older` is to be given as `before`, for the next page; null when this is the last. `next` is to be given as `after`, to hear what follows; `missed` is what has begun or ended since and is not known any more. */
interface RequestsAnswer {
  readonly requests: readonly RequestRow[];
  readonly older: string | null;
  readonly next: number;
  readonly missed: number;
}

export function requestsAnswer({ model, history }: ObserverState, query: URLSearchParams): RequestsAnswer {
  const limit = integerParameter(query, 'limit', 1, maxRequests) ?? defaultRequests;
  const before = textParameter(query, 'before');
  const cursor = before === undefined ? undefined : parseCursor(before, 'before');
  statusParameter(query, 'status');
  const selection: FlowSelection = {
    limit,
    service: textParameter(query, 'service'),
    method: textParameter(query, 'method')?.toUpperCase(),
    path: textParameter(query, 'path'),
    status: statusParameter(query, 'status'),
    site: textParameter(query, 'site'),
    from: textParameter(query, 'from'),
    to: textParameter(query, 'to'),
    kind: choiceParameter(query, 'kind', kinds),
    cursor,
  };
  const { service, method, path, site, from, to, kind } = selection;
  const status = textParameter(query, 'status');
  const given = Object.entries({ service, method, path, status, site, from, to, kind }).filter(([, value]) => value !== undefined);
  const filter = Object.fromEntries(given);
  const after = integerParameter(query, 'after', 0, Number.MAX_SAFE_INTEGER);
  if (after !== undefined) return { older: null, ...model.requestChanges(filter, after, limit) };
  const last = { next: model.lastRequestChange, missed: 0 };
  const live = model.requests(filter, limit, cursor);
  // Of what is older than this, the model has forgotten some.
  if (live.length >= limit && (live.at(-1)?.startMs ?? 0) > model.requestsKnownSinceMs + 1) return pageOf(live, limit, last);
  // What the model has forgotten is older than all that it has; what both have is the model's.
  const known = new Set(live.map(({ id }) => id));
  const older = historyOr(history, (queries) => queries.requests(selection), []).filter(({ id }) => !known.has(id));
  return pageOf([...live, ...older].sort(compareRequests).slice(0, limit), limit, last);
}

function pageOf(requests: readonly RequestRow[], limit: number, last: Pick<RequestsAnswer, 'next' | 'missed'>): RequestsAnswer {
  const oldest = requests.length < limit ? undefined : requests.at(-1);
  return { requests, older: oldest === undefined ? null : cursorText(oldest), ...last };
}

export function requestAnswer({ model, history }: ObserverState, id: string): RequestTrace {
  const trace = model.trace(id);
  if (trace !== undefined) return trace;
  const row = historyOr(history, (queries) => queries.request(id), undefined);
  if (row === undefined) throw new NotFound(`there is no request '${id.slice(0, 100)}', or not any more`);
  const { trace: routers, sourceSite, destSite } = row;
  const way = routers.length < 2 ? [sourceSite, destSite ?? sourceSite] : routers;
  return requestTrace(
    row,
    way.slice(1).map((toName, index) => ({ fromName: way[index] ?? '', toName, roundTripMs: null })),
  );
}

export function historyAnswer({ history, clock }: ObserverState, query: URLSearchParams): unknown {
  const nowMs = clock.wallMs();
  const toMs = integerParameter(query, 'to', 0, latestMs) ?? nowMs;
  const fromMs = integerParameter(query, 'from', 0, latestMs) ?? toMs - 3_600_000;
  const stepSeconds = integerParameter(query, 'step', 10, 86_400 * 366) ?? 60;
  if (fromMs >= toMs) throw new InputError('bad-request', 'from', 'must be before to');
  if ((toMs - fromMs) / 1000 / stepSeconds > maxPoints) {
    throw new InputError('bad-request', 'step', `is too small for this time: at most ${maxPoints} points`);
  }
  const selection = {
    service: textParameter(query, 'service'),
    site: textParameter(query, 'site'),
    from: Math.floor(fromMs / 1000),
    to: Math.ceil(toMs / 1000),
  };
  const points = history
    .ask((queries) => queries.points(selection, stepSeconds))
    .map(({ start, sums, open }) => {
      // The last step is not over yet.
      const seconds = Math.max(1, Math.min(stepSeconds, nowMs / 1000 - start));
      return { atMs: start * 1000, count: sums.count, golden: goldenOf(sums, seconds, open) };
    });
  const first = history.ask((queries) => queries.firstSeconds());
  return { stepSeconds, firstMs: first === undefined ? null : first * 1000, points };
}

/** Values that let others in, by kind of resource: they are nobody's business but the command line's. */
const secretFields: Readonly<Record<string, readonly string[]>> = {
  AccessToken: ['code'],
  AccessGrant: ['code'],
  Secret: ['data', 'stringData'],
};

export async function siteAnswer(state: ObserverState, query: URLSearchParams): Promise<unknown> {
  const { site, version, startedMs, history, exports } = state;
  const { status } = site;
  if (status === undefined) throw new WeatherError('site-not-running', 'the site has not answered yet');
  const check = textParameter(query, 'check') === 'true' ? { check: await site.check() } : {};
  const { state: historyState, message = null, lost, bytes } = history.state;
  return {
    status: { ...status, resources: withoutSecrets(status['resources']) },
    ...check,
    observer: {
      version,
      startedMs,
      connected: site.isConnected,
      sources: state.model.sourceCount,
      history: { state: historyState, message, lost, bytes },
      exports: exports(),
    },
  };
}

interface PlainResource {
  readonly kind?: string;
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
}

function withoutSecrets(resources: unknown): unknown {
  if (!Array.isArray(resources)) return [];
  return (resources as readonly PlainResource[]).map((resource) => {
    const fields = secretFields[resource.kind ?? ''];
    if (fields === undefined) return resource;
    const clean = (part: Readonly<Record<string, unknown>> | undefined): Record<string, unknown> =>
      Object.fromEntries(Object.entries(part ?? {}).filter(([key]) => !fields.includes(key)));
    const { spec, status } = resource;
    return {
      ...clean({ ...resource }),
      ...(spec === undefined ? {} : { spec: clean(spec) }),
      ...(status === undefined ? {} : { status: clean(status) }),
    };
  });
}
