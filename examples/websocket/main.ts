/**
 * A chat over WebSockets between two sites. See README.md in this folder.
 *
 * `node examples/websocket/main.ts [--check]`
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';

import { freePort } from '../demo/free-port.ts';
import { TwoSites } from '../two-sites.ts';
import { ChatServer } from './chat-server.ts';

const host = '127.0.0.1';
const isCheck = process.argv.includes('--check');
/** Ctrl-C ends the example in order: sites are processes of their own. */
const interrupted = Promise.race(['SIGINT', 'SIGTERM'].map((signal) => once(process, signal)));
const print = (line: string): void => void process.stdout.write(`${line}\n`);

function service(kind: 'Listener' | 'Connector', port: number): string {
  return `apiVersion: skupper.io/v2alpha1
kind: ${kind}
metadata: { name: chat }
spec: { routingKey: chat, host: ${host}, port: ${port}, type: http }
`;
}

async function join(port: number): Promise<WebSocket> {
  const socket = new WebSocket(`ws://${host}:${port}/chat`);
  await once(socket, 'open');
  return socket;
}

/** Two who talk to each other, with the client that Node has. */
async function talk(port: number): Promise<void> {
  const [anna, ben] = [await join(port), await join(port)];
  const heard = once(ben, 'message') as Promise<[MessageEvent]>;
  anna.send('Is anybody there?');
  const [{ data }] = await heard;
  print(`ben hears: ${String(data)}`);
  assert.equal(data, 'Is anybody there?');
  const left = once(anna, 'close') as Promise<[CloseEvent]>;
  ben.send('/close');
  const [{ code, reason }] = await left;
  print(`the server has closed the chat: ${code} ${reason}`);
  assert.deepEqual([code, reason], [4000, 'the chat is over']);
}

const server = new ChatServer();
try {
  await using sites = await TwoSites.start(print);
  const port = await freePort();
  await sites.apply('far', service('Connector', await server.listen(host)));
  await sites.apply('near', service('Listener', port));
  await sites.answering(port);
  if (isCheck) await talk(port);
  else {
    print(`\nUntil Ctrl-C: open http://${host}:${port}/ in two windows`);
    await interrupted;
  }
} finally {
  await server.stop();
}
