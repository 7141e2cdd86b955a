/**
 * The open-loop load of `load.ts` as NATS requests over one connection.
 *
 * `node nats-load.ts PORT,PORT... RATE FIRST_ID TIMEOUT_MS`; on the message channel `stop` gives the records.
 */
import { monotonicMs } from '../rig/clock.ts';
import type { RequestRecord } from './load.ts';
import { NatsConnection } from './nats-connection.ts';

const [portList = '', rate = '', firstId = '', timeoutMs = ''] = process.argv.slice(2);
const intervalMs = 1000 / Number(rate);
const records: RequestRecord[] = [];
const underWay = new Map<number, { readonly startMs: number; readonly timer: NodeJS.Timeout }>();
let nextId = Number(firstId);
let stopped = false;
let report = (): void => {};

function finish(id: number, outcome: string): void {
  const request = underWay.get(id);
  if (request === undefined) return;
  clearTimeout(request.timer);
  underWay.delete(id);
  records.push([id, request.startMs, monotonicMs(), outcome]);
  if (stopped && underWay.size === 0) report();
}

const connection = new NatsConnection('127.0.0.1', portList.split(',').map(Number), '_INBOX.load.* 1', ({ subject, isNoResponders }) =>
  finish(Number(subject.slice(subject.lastIndexOf('.') + 1)), isNoResponders ? 'no responders' : 'ok'),
);

let dueMs = 0;
function tick(): void {
  if (stopped) return;
  const nowMs = monotonicMs();
  for (; dueMs <= nowMs; dueMs += intervalMs) {
    const id = nextId++;
    underWay.set(id, { startMs: dueMs, timer: setTimeout(() => finish(id, 'timeout'), Number(timeoutMs)) });
    connection.publish('service', `_INBOX.load.${id}`, String(id));
  }
  setTimeout(tick, Math.max(0, dueMs - monotonicMs()));
}

connection.ready = (): void => {
  dueMs = monotonicMs();
  console.log('running');
  tick();
};
process.on('message', () => {
  stopped = true;
  report = (): void => {
    process.send?.(records);
  };
  if (underWay.size === 0) report();
});
process.once('SIGTERM', () => process.exit(0));
