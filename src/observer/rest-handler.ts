/** A request of the REST interface, whoever carried it: the port with login, or the unix socket. */
export interface RestRequest {
  readonly method: string;
  /** Decoded by nobody yet, without query: `/api/v1/requests/abcde:7`. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Who asks, for the log; null over the unix socket. */
  readonly user: string | null;
}

export interface RestResponse {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Answers `/api/v1/*` (but `session`, `login`, `logout` and `events`, which belong to whoever carries requests), `/api/v2alpha1/*`,
 * `/metrics` and `/openapi.json`. Never throws; what is not there is answered with 404.
 */
export interface RestHandler {
  handle(request: RestRequest): Promise<RestResponse>;
}

/** Kinds of what `/api/v1/events` tells. */
export type ObserverEventName = 'network' | 'request' | 'lost';

export interface ObserverEvent {
  readonly name: ObserverEventName;
  /** JSON on one line, made once for all who listen: NetworkSnapshot, RequestRow, or `{"flows": n}`. */
  readonly json: string;
}

/** What happens, for server-sent events. Nothing is made while nobody has subscribed. */
export interface ObserverEvents {
  /**
   * `take` gets a `network` at once, then each event until disposal; it must not block and must not throw. `windowMs` is that of golden metrics,
   * as `eventWindowMs` gives it.
   */
  subscribe(take: (event: ObserverEvent) => void, windowMs?: number): Disposable;
}
