import { InputError, WeatherError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { ObserverState } from './observer-state.ts';
import { openApiDocument } from './openapi.ts';
import { NotFound } from './rest-answers.ts';
import type { RestHandler, RestRequest, RestResponse } from './rest-handler.ts';
import { gonePaths, routes, type Route } from './rest-routes.ts';

const json = 'application/json; charset=utf-8';
const metricsText = 'text/plain; version=0.0.4; charset=utf-8';

/** Answers questions by the table of routes. */
export function restServer(state: ObserverState, log: Logger): RestHandler {
  const matchers = routes.map((route) => ({ route, pattern: patternOf(route.path) }));
  const gone = gonePaths.map(patternOf);
  const document = JSON.stringify(openApiDocument(state.version));
  const handle = async ({ method, path, query }: RestRequest): Promise<RestResponse> => {
    if (path === '/metrics') return onlyGet(method, () => ({ status: 200, contentType: metricsText, body: state.metrics() }));
    if (path === '/openapi.json') return onlyGet(method, () => ({ status: 200, contentType: json, body: document }));
    for (const { route, pattern } of matchers) {
      const found = pattern.exec(path);
      if (found === null) continue;
      if (method !== 'GET') return notAllowed();
      return { status: 200, contentType: json, body: JSON.stringify(await answerOf(route, state, query, found[1] ?? '')) };
    }
    if (gone.some((pattern) => pattern.test(path))) return failure(410, 'ErrDeprecated', 'this is not supported any more');
    return failure(404, 'not-found', 'there is nothing at this path');
  };
  return {
    handle: async (request) => {
      try {
        return await handle(request);
      } catch (error) {
        return failureOf(error, request, log);
      }
    },
  };
}

async function answerOf(route: Route, state: ObserverState, query: URLSearchParams, encodedId: string): Promise<unknown> {
  let id: string;
  try {
    id = decodeURIComponent(encodedId);
  } catch (cause) {
    throw new InputError('bad-request', 'id', 'is not encoded as a part of a path has to be', { cause });
  }
  return route.run(state, query, id);
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replaceAll('.', '\\.').replace('{id}', '([^/]+)')}$`);
}

function onlyGet(method: string, answer: () => RestResponse): RestResponse {
  return method === 'GET' ? answer() : notAllowed();
}

function notAllowed(): RestResponse {
  return { ...failure(405, 'method-not-allowed', 'everything here is read with GET'), headers: { allow: 'GET' } };
}

function failureOf(error: unknown, { path }: RestRequest, log: Logger): RestResponse {
  if (error instanceof NotFound) return failure(404, 'ErrNotFound', error.message);
  if (error instanceof InputError) return failure(400, error.code, error.message);
  if (error instanceof WeatherError) return failure(503, error.code, error.message);
  log.error('a question could not be answered', { path, reason: error });
  return failure(500, 'internal', 'this is a mistake of the observer; its log tells more');
}

function failure(status: number, code: string, message: string): RestResponse {
  return { status, contentType: json, body: JSON.stringify({ code, message }) };
}
