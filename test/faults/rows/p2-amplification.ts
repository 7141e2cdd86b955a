import { once } from 'node:events';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { amplification, amplificationCases, phases } from '../../fuzz/amplification.ts';
import type { AmplificationCase, AmplificationResult } from '../../fuzz/amplification.ts';
import { OpenLinkPort } from '../rig/link-port.ts';
import { caravan, routerKinds } from '../rig/router-kind.ts';
import type { RouterKind } from '../rig/router-kind.ts';
import type { Measured, PeerFigures, Row, RowContext } from '../row.ts';

const mebibyte = 1_048_576;
/** How long a case may go on taking what is sent, and then until it closes the connection or says nothing more. */
const caseMs = 4000;
/** Silence after which a case that does not end the connection is over. */
const silenceMs = 150;
const saslAnonymous = Buffer.from(
  'AMQP\x03\x01\x00\x00\x00\x00\x00\x19\x02\x01\x00\x00\x00\x53\x41\xc0\x0c\x01\xa3\x09ANONYMOUS',
  'latin1',
);

/** Sends a case to the link port as a stranger; gives the octets that were taken and the largest that the router had meanwhile. */
async function sendCase(port: OpenLinkPort, entry: AmplificationCase): Promise<number> {
  const socket = await port.dial();
  let lastMs = performance.now();
  socket.on('data', () => (lastMs = performance.now()));
  const endMs = lastMs + caseMs;
  const input = entry.bytes();
  socket.write(saslAnonymous);
  socket.write(phases[entry.phase]());
  for (let at = 0; at < input.length && !socket.destroyed && performance.now() < endMs; at += 65_536) {
    if (!socket.write(input.subarray(at, at + 65_536))) await Promise.race([once(socket, 'drain'), once(socket, 'close'), sleep(caseMs)]);
  }
  lastMs = performance.now();
  while (!socket.destroyed && performance.now() < Math.min(endMs, lastMs + silenceMs)) await sleep(10);
  const sent = socket.bytesWritten;
  socket.destroy();
  return sent;
}

/** Whether the port still answers a protocol header with one. */
async function answers(port: OpenLinkPort): Promise<boolean> {
  const socket = await port.dial().catch(() => undefined);
  if (socket === undefined) return false;
  const heard = once(socket, 'data');
  heard.catch(() => undefined);
  socket.write(saslAnonymous.subarray(0, 8));
  const answer = await Promise.race([heard, sleep(caseMs)]);
  socket.destroy();
  return answer !== undefined;
}

interface Survival {
  /** The input that ended the router; undefined when it answers after all of them. */
  readonly endedBy: string | undefined;
  readonly growthMiB: number;
  readonly sentMiB: number;
}

/** What the whole list does to a router of which only the link port is known. */
async function atLinkPort(context: RowContext, kind: RouterKind): Promise<Survival> {
  await using port = await OpenLinkPort.start(kind);
  const before = port.router.residentBytes();
  let [sent, largest] = [0, before];
  let endedBy: string | undefined;
  for (const entry of amplificationCases) {
    context.signal.throwIfAborted();
    sent += await sendCase(port, entry).catch(() => 0);
    if (!port.router.running) {
      const { code, signal } = await port.router.ended;
      endedBy = `${entry.name} (${signal ?? code})`;
      break;
    }
    largest = Math.max(largest, port.router.residentBytes());
  }
  const inMiB = (bytes: number): number => Math.round((bytes / mebibyte) * 10) / 10;
  if (endedBy === undefined && !(await answers(port))) endedBy = 'does not answer after the list';
  return { endedBy, growthMiB: inMiB(largest - before), sentMiB: inMiB(sent) };
}

function worst(results: readonly AmplificationResult[], of: (result: AmplificationResult) => number): number {
  return Math.round(Math.max(...results.map(of)) * 10) / 10;
}

async function run(context: RowContext): Promise<Measured> {
  const results: AmplificationResult[] = [];
  for (const entry of amplificationCases) {
    context.signal.throwIfAborted();
    results.push(amplification(entry));
    await setImmediate();
  }
  const own = await atLinkPort(context, caravan);
  const peers: Record<string, PeerFigures> = {};
  for (const kind of routerKinds(context.peers).slice(1)) {
    const { endedBy = 'nothing', growthMiB } = await atLinkPort(context, kind);
    peers[kind.name] = { 'ended by': endedBy, growthMiB };
  }
  return {
    figures: [
      {
        name: 'octets kept for each octet of input',
        value: worst(results, ({ retainedPerByte }) => retainedPerByte),
        unit: '',
        floor: 100,
        goal: 10,
      },
      {
        name: 'octets answered for each octet',
        value: worst(results, ({ answeredPerByte }) => answeredPerByte),
        unit: '',
        floor: 100,
        goal: 10,
      },
      { name: 'longest read of 64 KiB', value: worst(results, ({ readMs }) => readMs), unit: 'ms', floor: 50 },
      { name: 'wrong or missing conditions', value: results.filter(({ asExpected }) => !asExpected).length, unit: '', floor: 0 },
      { name: 'routers that did not survive the list at their link port', value: own.endedBy === undefined ? 0 : 1, unit: '', floor: 0 },
    ],
    peers,
    detail: {
      inputs: results.length,
      linkPort: own,
      unexpected: results.filter(({ asExpected }) => !asExpected).map(({ name, condition }) => `${name}: ${condition}`),
      mostKept: results.toSorted((a, b) => b.retainedPerByte - a.retainedPerByte)[0].name,
    },
  };
}

export const amplificationLimits: Row = {
  id: 'P2',
  title: 'Small inputs that ask for much: empty-width arrays, nesting, frame sizes, links, sessions, credit',
  floor: 'no input costs more than 100 times its octets, or 50 ms',
  goal: 'at most 10 times; the right AMQP condition is told',
  fast: true,
  limitSeconds: { full: 180, fast: 60 },
  missing: () => undefined,
  run,
};
