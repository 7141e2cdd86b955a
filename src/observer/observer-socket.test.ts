import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { WeatherError } from '../base/errors.ts';
import { silentLogger } from '../base/log.ts';
import { processClock } from '../host/process-clock.ts';
import { until } from '../../test/e2e/until.ts';
import { EventHub } from './event-hub.ts';
import { observerState, testFolder } from './observer-fixtures.test.ts';
import { openObserverSocket } from './observer-socket.ts';
import { restServer } from './rest-server.ts';

function get(socketPath: string, path: string, method = 'GET'): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request({ socketPath, path, method, agent: false }, resolve).once('error', reject).end();
  });
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const part of response.setEncoding('utf8')) text += String(part);
  return text;
}

test('the socket is its owner’s alone, and answers without login, with events and what controls the console', async (t) => {
  const path = join(testFolder(t), 'observer.sock');
  const { state } = observerState(t);
  const events = new EventHub(state.model, processClock);
  const asked: string[] = [];
  const control = {
    handle: ({ method, path: wanted }: { readonly method: string; readonly path: string }) => {
      asked.push(`${method} ${wanted}`);
      return Promise.resolve({ status: 200, contentType: 'application/json', body: '{}' });
    },
  };
  const options = { path, rest: restServer(state, silentLogger), events, control, clock: processClock, log: silentLogger };
  const socket = await openObserverSocket(options);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  await assert.rejects(openObserverSocket(options), (error) => error instanceof WeatherError && error.code === 'socket-in-use');

  const network = await get(path, '/api/v1/network?window=60s');
  assert.equal(network.statusCode, 200);
  assert.match(await textOf(network), /"name":"west"/);
  assert.equal((await get(path, '/api/v1/nothing')).statusCode, 404);
  assert.equal((await get(path, '/control/login-link', 'POST')).statusCode, 200);
  assert.deepEqual(asked, ['POST /control/login-link']);

  assert.equal((await get(path, '/api/v1/events?window=11s')).statusCode, 400);
  const stream = await get(path, '/api/v1/events?window=10s');
  assert.match(stream.headers['content-type'] ?? '', /^text\/event-stream/);
  let text = '';
  stream.setEncoding('utf8').on('data', (part: string) => (text += part));
  await until('the network is told', () => text.includes('event: network\ndata: {'));
  const ended = new Promise((resolve) => stream.once('close', resolve));
  stream.on('error', () => undefined);
  await socket[Symbol.asyncDispose]();
  await ended;
  events[Symbol.dispose]();
  await assert.rejects(get(path, '/api/v1/network'));
});
