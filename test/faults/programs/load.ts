/**
 * Open-loop load: requests begin at a fixed rate whatever becomes of the earlier ones, each on a connection of its own. A request's time
 * counts from the moment it was due, so that a stalled generator does not hide a stalled service.
 *
 * `node load.ts HOST PORT,PORT... RATE FIRST_ID TIMEOUT_MS`; ports are used in turn, and one that refuses the connection is followed by the
 * next, as a client does that knows several addresses of a service. On the message channel `stop` begins no more, waits
 * for what is under way and gives the records.
 */
import { connect } from 'node:net';
import { monotonicMs } from '../rig/clock.ts';

/** One request: id, when it was due, when it ended, what became of it (`ok` or the kind of failure). */
export type RequestRecord = readonly [id: number, startMs: number, endMs: number, outcome: string];

const [host = '', portList = '', rate = '', firstId = '', timeoutMs = ''] = process.argv.slice(2);
const ports = portList.split(',').map(Number);
const intervalMs = 1000 / Number(rate);
const records: RequestRecord[] = [];
let nextId = Number(firstId);
let underWay = 0;
let stopped = false;
let report = (): void => {};

function request(id: number, startMs: number): void {
  underWay++;
  attempt(id, startMs, 0);
}

/** The request's connection to the port that is its turn, or to one after it. */
function attempt(id: number, startMs: number, refusals: number): void {
  const socket = connect({ host, port: ports[(id + refusals) % ports.length], noDelay: true });
  let text = '';
  const finish = (outcome: string): void => {
    socket.removeAllListeners();
    socket.on('error', () => undefined);
    socket.destroy();
    if (outcome === 'ECONNREFUSED' && refusals + 1 < ports.length) {
      attempt(id, startMs, refusals + 1);
      return;
    }
    records.push([id, startMs, monotonicMs(), outcome]);
    underWay--;
    if (stopped && underWay === 0) report();
  };
  const timer = setTimeout(() => finish('timeout'), Number(timeoutMs));
  socket.once('connect', () => socket.write(`GET /${id} HTTP/1.1\r\nHost: fault\r\nConnection: close\r\n\r\n`));
  socket.setEncoding('latin1').on('data', (piece: string) => (text += piece));
  const ended = (outcome: string): void => {
    clearTimeout(timer);
    finish(outcome);
  };
  socket.once('end', () => ended(/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n./.test(text) ? 'ok' : text === '' ? 'empty' : 'cut short'));
  socket.once('error', (error: NodeJS.ErrnoException) => ended(error.code ?? 'error'));
}

let dueMs = monotonicMs();
function tick(): void {
  if (stopped) return;
  const nowMs = monotonicMs();
  for (; dueMs <= nowMs; dueMs += intervalMs) request(nextId++, dueMs);
  setTimeout(tick, Math.max(0, dueMs - monotonicMs()));
}

process.on('message', () => {
  stopped = true;
  report = (): void => {
    process.send?.(records);
  };
  if (underWay === 0) report();
});
process.once('SIGTERM', () => process.exit(0));
console.log('running');
tick();
