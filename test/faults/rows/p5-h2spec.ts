import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { h2specIsInstalled, runH2spec } from '../../conformance/h2spec-run.ts';
import { httpFronts } from '../rig/http-fronts.ts';
import type { Measured, PeerFigures, Row, RowContext } from '../row.ts';

const host = '127.0.0.1';
/** The same tests against Node's own server, which is one on nghttp2. */
async function atNode(signal: AbortSignal): Promise<PeerFigures> {
  const server = createHttp2Server((request, response) => {
    request.resume();
    request.once('end', () => response.end('hello'));
  });
  server.listen(0, host);
  await once(server, 'listening');
  try {
    const { tests, failed } = await runH2spec((server.address() as AddressInfo).port, signal);
    return { 'tests failed': failed, tests };
  } finally {
    server.close();
  }
}

async function run(context: RowContext): Promise<Measured> {
  const server = createServer((request, response) => {
    request.resume();
    request.once('end', () => response.end('hello'));
  });
  server.listen(0, host);
  await once(server, 'listening');
  await using _server = {
    [Symbol.asyncDispose]: async (): Promise<void> => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  const serverPorts = [(server.address() as AddressInfo).port];
  const [startOwn, ...startPeers] = httpFronts(context.peers);
  await using own = await startOwn(serverPorts, { listener: { protocol: 'http2' } });
  const { tests, failed, failures, summary } = await runH2spec(own.ports[0], context.signal);
  const peers: Record<string, PeerFigures> = {};
  if (context.peers) peers["Node's own server"] = await atNode(context.signal);
  for (const start of startPeers) {
    await using front = await start(serverPorts);
    // It speaks HTTP/2 only on ports that speak nothing else, or with TLS.
    if (front.name === 'nginx') continue;
    const theirs = await runH2spec(front.ports[0], context.signal);
    peers[front.name] = { 'tests failed': theirs.failed, tests: theirs.tests };
  }
  return {
    figures: [
      { name: 'tests failed', value: failed, unit: '', floor: 9, goal: 0 },
      { name: 'tests', value: tests, unit: '', better: 'higher', floor: 100 },
      { name: 'routers that ended', value: own.running ? 0 : 1, unit: '', floor: 0 },
    ],
    peers,
    detail: { summary, failures },
  };
}

export const http2Rules: Row = {
  id: 'P5',
  title: 'The rules of HTTP/2 one by one (h2spec) at a service port',
  floor: 'no crash; at most 9 failures, as many as a server on nghttp2 has',
  goal: 'no failure',
  fast: true,
  limitSeconds: { full: 240, fast: 60 },
  missing: () => (h2specIsInstalled() ? undefined : 'h2spec is not installed (github.com/summerwind/h2spec; H2SPEC may name it)'),
  run,
};
