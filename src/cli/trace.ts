import { setTimeout as sleep } from 'node:timers/promises';
import { WeatherError } from '../base/errors.ts';
import { isFlowIdentity } from '../flows/flow-addresses.ts';
import type { RequestTrace } from '../flows/network-snapshot.ts';
import type { RequestFilter } from '../flows/tap-filter.ts';
import type { Call } from './call.ts';
import type { Command } from './command.ts';
import { openFlowSession, type FlowSession } from './flow-session.ts';
import { untilInterrupted } from './interrupted.ts';
import { parseChoice } from './option-values.ts';
import { printableLine } from './printable.ts';
import { withProgress } from './progress.ts';
import { requestFilter, requestOptions } from './request-options.ts';
import { formatTrace } from './trace-text.ts';

const formats = ['table', 'json'] as const;
/** Routers tell what is under way at most once a second, and the answer takes its way. */
const heardMs = 2500;
const heardPollMs = 50;

export const command: Command = {
  parameters: [
    { name: 'WHAT', meaning: 'a service, whose next request is shown; or the id of a request, as van tap prints it', optional: true },
  ],
  options: {
    ...requestOptions,
    output: { short: 'o', value: 'FORMAT', meaning: 'table or json', default: 'table' },
    timeout: { value: 'DURATION', meaning: 'how long to wait for a request', default: '60s' },
  },
  description:
    'Draws where the time of one request went: the choice of a server, each link on the way, the connection to the server, the server, and\n' +
    'the rest of the answer. The application does not have to do anything for it. An observer knows requests by their ids; without one only those\n' +
    'that are under way are known, while somebody listens (van tap). Routers measure with their own clocks and never compare them.',
  examples: [
    { line: 'van trace backend', meaning: 'The next request to a service' },
    { line: 'van trace backend --path /cart --status 5xx', meaning: 'The next one that fails there' },
    { line: 'van trace q7x2k:1234', meaning: 'One that van tap has shown' },
  ],
  async run(call) {
    const format = parseChoice(call.text('output') ?? 'table', '--output', formats);
    const what = call.optionalParameter('WHAT');
    const trace = await untilInterrupted(async (signal) => {
      await using session = await openFlowSession(call, { detail: true });
      if (what !== undefined && isRequestId(what)) return await byId(session, what, call);
      return await nextTrace(session, requestFilter(call, what), call, signal);
    });
    if (trace === undefined) return 1;
    if (format === 'json') call.shell.writeOut(`${JSON.stringify(trace, undefined, 2)}\n`);
    else call.shell.writeOut(formatTrace(trace));
    return 0;
  },
};

/** Of a source that shares its name with another one, the router follows. */
function isRequestId(text: string): boolean {
  return isFlowIdentity(text.split('@', 1)[0] ?? '');
}

async function byId(session: FlowSession, id: string, call: Call): Promise<RequestTrace> {
  const trace = session.isObserver ? await session.trace(id) : await heard(session, id, call);
  if (trace !== undefined) return trace;
  const name = printableLine(id);
  if (session.isObserver) {
    throw new WeatherError('unknown-request', `request ${name} is not known, or not any more`, { remedy: 'van tap shows those that come' });
  }
  const van = `van${call.namespaceOption}`;
  throw new WeatherError(
    'unknown-request',
    `request ${name} is not under way, and no observer runs here that keeps those that have ended`,
    {
      remedy: `let one run, for those to come: ${van} observe; or wait for the next request: ${van} trace SERVICE`,
    },
  );
}

/** Routers tell again what is under way, soon after they are asked; what has ended they have forgotten. */
async function heard(session: FlowSession, id: string, call: Call): Promise<RequestTrace | undefined> {
  const untilMs = performance.now() + heardMs;
  let trace = await session.trace(id);
  await withProgress(
    call.shell,
    () => `no observer runs here: asking the routers for ${printableLine(id)}`,
    async () => {
      while (trace === undefined && performance.now() < untilMs && !call.shell.isReaderGone) {
        await sleep(heardPollMs);
        trace = await session.trace(id);
      }
    },
  );
  return trace;
}

/** Waits for a request that fits and has ended; undefined when it was interrupted. */
async function nextTrace(session: FlowSession, filter: RequestFilter, call: Call, signal: AbortSignal): Promise<RequestTrace | undefined> {
  const deadline = AbortSignal.timeout(call.timeoutMs);
  const text = `waiting for a request${filter.service === undefined ? '' : ` to "${printableLine(filter.service)}"`}`;
  let id: string | undefined;
  await withProgress(
    call.shell,
    () => text,
    () =>
      session.follow(
        filter,
        (row) => {
          if (row.ended) id = row.id;
          return id === undefined;
        },
        AbortSignal.any([signal, deadline]),
      ),
  );
  if (id !== undefined) return byId(session, id, call);
  if (signal.aborted) return undefined;
  throw new WeatherError('no-request', `no request came within ${call.timeoutMs / 1000} s`, {
    remedy: 'send one, or wait longer with --timeout; van stat shows what services have traffic',
  });
}
