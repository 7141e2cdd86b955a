import { request } from 'node:http';
import { WeatherError } from '../base/errors.ts';

/** Answers to the owner of the site are small. */
const maxAnswerBytes: number = 256 * 1024;

/** Asks the observer over its unix socket: `path` with its query. Throws WeatherError `no-observer`, or what the observer reports. */
export async function askObserver<Body>(
  socketPath: string,
  method: 'GET' | 'POST',
  path: string,
  timeoutMs: number,
  limitBytes: number = maxAnswerBytes,
): Promise<Body> {
  const { status, text } = await exchange(socketPath, method, path, timeoutMs, limitBytes);
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (cause) {
    throw new WeatherError('no-observer', `what listens on ${socketPath} is no observer`, { cause });
  }
  if (status === 200) return body as Body;
  const { code = 'failed', message = `the observer answered with ${status}` } = body as { code?: string; message?: string };
  throw new WeatherError(code, message);
}

function exchange(
  socketPath: string,
  method: string,
  path: string,
  timeoutMs: number,
  limitBytes: number,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({
      socketPath,
      method,
      path,
      agent: false,
      signal: AbortSignal.timeout(timeoutMs),
      headers: { host: 'observer' },
    });
    outgoing.once('error', (cause: NodeJS.ErrnoException) => reject(explain(cause, socketPath)));
    outgoing.once('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
        if (text.length > limitBytes) outgoing.destroy(new Error('the answer is too long'));
      });
      response.once('error', (cause) => reject(explain(cause, socketPath)));
      response.once('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    outgoing.end();
  });
}

function explain(cause: NodeJS.ErrnoException, socketPath: string): WeatherError {
  if (cause.code === 'ENOENT' || cause.code === 'ECONNREFUSED') {
    return new WeatherError('no-observer', 'no observer runs in this namespace', {
      cause,
      remedy: 'start one: van observe; or let the site run it: van site create NAME --enable-observer',
    });
  }
  return new WeatherError('observer-silent', `the observer does not answer on ${socketPath}: ${cause.message}`, { cause });
}
