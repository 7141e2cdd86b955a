import { InputError, WeatherError } from '../base/errors.ts';
import { exchangeLine, streamLines } from '../host/line-client.ts';
import { LineSplitter } from '../management/line-splitter.ts';
import { formatRequest, answerLimitBytes, parseResponse } from '../management/management-protocol.ts';
import type { FailureBody } from '../router/management.ts';
import { layoutOf } from './process-environment.ts';
import { siteFolderExists } from './site-folder.ts';

export interface SiteRequest {
  /** STATUS, APPLY, ..., or QUERY, READ, CREATE, UPDATE, DELETE. */
  readonly operation: string;
  /** Entity type, for operations of the router. */
  readonly type?: string;
  /** Entity name, for operations of the router. */
  readonly name?: string;
  readonly attributes?: Readonly<Record<string, unknown>>;
}

/** Asks a running site. Throws what the site reports, as it would be thrown there. */
export interface SiteClient {
  /** Gives the body of the answer. Throws WeatherError `site-not-running`, `no-site`, `no-answer`. */
  request<Body>(request: SiteRequest, options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal }): Promise<Body>;
  /** Asks for answers that go on; `take` gets the body of each and says whether more are wanted; `signal` ends it. Throws as `request`, also later. */
  stream(request: SiteRequest, take: (body: unknown) => boolean, signal?: AbortSignal): Promise<void>;
}

/** Longer than an exchange with an issuer, which redemption waits for. */
const defaultTimeoutMs = 15_000;

export function siteClient(namespace: string, environment: NodeJS.ProcessEnv = process.env): SiteClient {
  const layout = layoutOf(namespace, environment);
  const ask = async <Result>(exchange: Promise<Result>): Promise<Result> => {
    try {
      return await exchange;
    } catch (error) {
      if (!(error instanceof WeatherError) || error.code !== 'not-running') throw error;
      const flag = namespace === 'default' ? '' : ` -n ${namespace}`;
      if (await siteFolderExists(layout)) {
        throw new WeatherError('site-not-running', `the site of namespace '${namespace}' is not running`, {
          cause: error,
          remedy: `start it: van${flag} site start`,
        });
      }
      throw new WeatherError('no-site', `there is no site in namespace '${namespace}'`, {
        cause: error,
        remedy: `create one: van${flag} site create NAME`,
      });
    }
  };
  return {
    request<Body>(request: SiteRequest, options: { timeoutMs?: number; signal?: AbortSignal } = {}): Promise<Body> {
      const { timeoutMs = defaultTimeoutMs, signal } = options;
      return ask(askManagement<Body>(layout.managementSocket, request, timeoutMs, signal));
    },
    stream(request, take, signal) {
      const reader = new LineSplitter(answerLimitBytes);
      const path = layout.managementSocket;
      const line = requestLine(request);
      const options = { path, line, reader, take: (answer: string): boolean => take(bodyOf(answer, path)) };
      return ask(streamLines(signal === undefined ? options : { ...options, signal }));
    },
  };
}

/** Sends one request to a management socket, of a site or of a router alone, and gives the body of the answer. */
export async function askManagement<Body>(
  socketPath: string,
  request: SiteRequest,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Body> {
  const line = requestLine(request);
  const reader = new LineSplitter(answerLimitBytes);
  const answer = await exchangeLine({ path: socketPath, line, reader, timeoutMs, ...(signal === undefined ? {} : { signal }) });
  return bodyOf(answer, socketPath) as Body;
}

function requestLine({ operation, type = '', name, attributes = {} }: SiteRequest): string {
  return formatRequest({
    id: 1,
    operation,
    type,
    ...(name === undefined ? {} : { name }),
    attributes: new Map(Object.entries(attributes)),
  });
}

/** The body of an answer. Throws what it reports. */
function bodyOf(answer: string, socketPath: string): unknown {
  const response = parseResponse(answer);
  if (response === undefined) throw new WeatherError('no-answer', `what listens on ${socketPath} does not speak the management protocol`);
  if (response.statusCode < 300) return response.body;
  throw reportedError(response.statusDescription, response.body);
}

function reportedError(description: string, body: unknown): WeatherError {
  const { code = 'failed', remedy, where } = (typeof body === 'object' && body !== null ? body : {}) as Partial<FailureBody>;
  const options = remedy === undefined ? {} : { remedy };
  if (where === undefined) return new WeatherError(code, description, options);
  return new InputError(code, where, description.startsWith(`${where}: `) ? description.slice(where.length + 2) : description, options);
}
