import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { parseArgs } from 'node:util';
import type { RequestRow } from '../../src/flows/network-snapshot.ts';
import { SyntheticNetwork } from './synthetic-network.ts';

/** Serves the built pages with a made-up network, to look at them: `npm run build -w console && npm run dev -w console -- --sites 200`. Not part of the product. */

const { values } = parseArgs({
  options: {
    sites: { type: 'string', default: '4' },
    port: { type: 'string', default: '8020' },
    login: { type: 'boolean', default: false },
  },
});
const network = new SyntheticNetwork(Number(values.sites));
const built = join(import.meta.dirname, '../dist');
const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const kept: RequestRow[] = [];
let isIn = !values.login;
function nextRequest(): RequestRow {
  const request = network.request(Date.now());
  kept.unshift(request);
  kept.length = Math.min(kept.length, 2000);
  return request;
}
for (let count = 0; count < 300; count += 1) nextRequest();

function answer(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

function api(request: IncomingMessage, response: ServerResponse, path: string, query: URLSearchParams): void {
  if (path === 'login') {
    isIn = true;
    return answer(response, { user: 'ada' });
  }
  if (path === 'logout') isIn = false;
  if (!isIn) return answer(response, { code: 'login-required', message: 'log in first' }, 401);
  if (path === 'session') return answer(response, { user: 'login link', expiresMs: Date.now() + 3_600_000 });
  if (path === 'events') return events(request, response);
  if (path === 'site') return answer(response, network.site(Date.now()));
  if (path === 'history')
    return answer(
      response,
      network.history(query.get('service'), Number(query.get('from')), Number(query.get('to')), Number(query.get('step'))),
    );
  if (path === 'requests') {
    const before = Number(query.get('before') ?? Number.POSITIVE_INFINITY);
    const service = query.get('service') ?? '';
    return answer(response, {
      requests: kept
        .filter(({ startMs, address }) => startMs < before && (service === '' || address === service))
        .slice(0, Number(query.get('limit'))),
    });
  }
  const found = kept.find(({ id }) => `requests/${encodeURIComponent(id)}` === path);
  if (found !== undefined) return answer(response, network.trace(found));
  answer(response, { code: 'not-found', message: 'there is no such request any more' }, 404);
}

function events(request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const send = (name: string, body: unknown): void => void response.write(`event: ${name}\ndata: ${JSON.stringify(body)}\n\n`);
  send('network', network.snapshot(Date.now()));
  const timers = [
    setInterval(() => send('network', network.snapshot(Date.now())), 2000),
    setInterval(() => send('request', nextRequest()), 130),
  ];
  request.on('close', () => timers.map(clearInterval));
}

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
  if (pathname.startsWith('/api/v1/')) return api(request, response, pathname.slice('/api/v1/'.length), searchParams);
  const path = join(built, normalize(pathname === '/' || pathname === '/login' ? '/index.html' : pathname));
  stat(path).then(
    () => {
      response.writeHead(200, {
        'content-type': contentTypes[extname(path)] ?? 'application/octet-stream',
        'content-security-policy': policy,
      });
      createReadStream(path).pipe(response);
    },
    () => answer(response, { code: 'not-found', message: 'no such file' }, 404),
  );
});
server.listen(Number(values.port), '127.0.0.1', () => process.stdout.write(`http://127.0.0.1:${values.port}/\n`));
