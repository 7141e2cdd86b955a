/** What the observer answered instead of what was asked for. */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const base = '/api/v1';

/** GET of JSON. Errors: ApiError, with status 0 when the observer cannot be reached. */
export async function getJson<T>(path: string, parameters: Readonly<Record<string, string>> = {}, signal?: AbortSignal): Promise<T> {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== '')).toString();
  return (await call(`${base}/${path}${query === '' ? '' : `?${query}`}`, { ...(signal === undefined ? {} : { signal }) })) as T;
}

/** POST of JSON. The answer, or undefined when there is none. */
export function postJson(path: string, body: unknown): Promise<unknown> {
  return call(`${base}/${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
}

async function call(url: string, init: RequestInit): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(url, { ...init, credentials: 'same-origin', cache: 'no-store' });
  } catch (error) {
    if (init.signal?.aborted === true) throw error;
    throw new ApiError(0, 'The observer does not answer.');
  }
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok) return body;
  throw new ApiError(response.status, messageOf(body) ?? `The observer answers with status ${response.status}.`);
}

function messageOf(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null || !('message' in body)) return undefined;
  return typeof body.message === 'string' ? body.message : undefined;
}
