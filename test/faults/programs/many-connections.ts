/**
 * Opens many TCP connections to one port, checks that each echoes, and holds them.
 *
 * `node many-connections.ts PORT`; questions on the message channel: `{ open: COUNT, perSecond: RATE }`, `{ echo: true }` (every connection
 * sends its number and waits for it), `{ churn: SECONDS, perSecond: RATE }` (open loop: dial, echo, close), `{ close: true }`. Each is answered
 * with `{ open, failed, done }`.
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export type ConnectionsQuestion =
  | { readonly open: number; readonly perSecond: number }
  | { readonly churn: number; readonly perSecond: number }
  | { readonly echo: true }
  | { readonly close: true };

export interface ConnectionsAnswer {
  readonly open: number;
  readonly failed: number;
  /** Connections that came and went in a churn. */
  readonly done: number;
}

const port = Number(process.argv[2]);
const sockets = new Set<Socket>();
let failed = 0;
let done = 0;
/** An echo that has not come by then has failed. */
const echoTimeoutMs = 30_000;
const stepMs = 10;

async function dial(): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  await new Promise<void>((resolve) => {
    socket.once('connect', () => {
      sockets.add(socket);
      resolve();
    });
    socket.on('error', () => {
      if (!sockets.has(socket)) failed++;
      resolve();
    });
    socket.once('close', () => {
      // Cut while it should stand.
      if (sockets.delete(socket)) failed++;
    });
  });
}

async function open(count: number, perSecond: number): Promise<void> {
  const startMs = performance.now();
  const dialling: Promise<void>[] = [];
  while (dialling.length < count) {
    const due = Math.min(count, Math.ceil(((performance.now() - startMs) * perSecond) / 1000));
    while (dialling.length < due) dialling.push(dial());
    await sleep(stepMs);
  }
  await Promise.all(dialling);
}

async function echoes(socket: Socket, text: string): Promise<boolean> {
  return await new Promise((resolve) => {
    let heard = '';
    const timer = setTimeout(() => resolve(false), echoTimeoutMs);
    const finish = (good: boolean): void => {
      clearTimeout(timer);
      socket.removeAllListeners('data');
      resolve(good);
    };
    socket.on('data', (bytes) => {
      heard += bytes.toString('latin1');
      if (heard.length >= text.length) finish(heard === text);
    });
    socket.once('close', () => finish(false));
    socket.write(text);
  });
}

/** One connection of a churn: dialled, used, closed. */
async function visit(): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  socket.on('error', () => socket.destroy());
  if (await echoes(socket, 'visit')) done++;
  else failed++;
  socket.destroy();
}

async function churn(seconds: number, perSecond: number): Promise<void> {
  const startMs = performance.now();
  const under = new Set<Promise<void>>();
  for (let begun = 0; performance.now() - startMs < seconds * 1000;) {
    for (const due = ((performance.now() - startMs) * perSecond) / 1000; begun < due; begun++) {
      const visiting = visit();
      under.add(visiting);
      void visiting.then(() => under.delete(visiting));
    }
    await sleep(stepMs);
  }
  await Promise.all(under);
}

process.on('message', (question: ConnectionsQuestion) => {
  void (async (): Promise<void> => {
    if ('open' in question) await open(question.open, question.perSecond);
    else if ('churn' in question) await churn(question.churn, question.perSecond);
    else if ('echo' in question) {
      const results = await Promise.all([...sockets].map((socket, index) => echoes(socket, `connection ${index}.`)));
      failed += results.filter((good) => !good).length;
    } else {
      for (const socket of sockets) {
        sockets.delete(socket);
        socket.destroy();
      }
    }
    process.send?.({ open: sockets.size, failed, done } satisfies ConnectionsAnswer);
  })();
});
process.once('SIGTERM', () => process.exit(0));
console.log('running');
