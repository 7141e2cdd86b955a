import { InputError, WeatherError } from '../base/errors.ts';
import { leastIntervalMs, type PingBody, type PingReported } from '../supervisor/site-pings.ts';
import type { Call } from './call.ts';
import type { Command } from './command.ts';
import { parseChoice, parseDurationMs, parseInteger } from './option-values.ts';
import { answerText, serversText, startedText, summarize, summaryText, type PingSummary } from './ping-text.ts';
import { SiteSession } from './site-session.ts';

const formats = ['text', 'json'] as const;
const mostPings = 1_000_000;
/** More answers are not kept for the summary: the last ones count. */
const maxKept = 10_000;

export const command: Command = {
  parameters: [{ name: 'TARGET', meaning: 'a site by its name or router id, or a service by its routing key' }],
  options: {
    count: { short: 'c', value: 'N', meaning: 'pings to each site', default: '4' },
    interval: { value: 'DURATION', meaning: 'from one ping to the next, 100ms or more', default: '1s' },
    timeout: { value: 'DURATION', meaning: 'how long to wait for an answer', default: '2s' },
    output: { short: 'o', value: 'FORMAT', meaning: 'text, or json with one object in each line', default: 'text' },
  },
  description:
    'Routers answer pings of every member of the network, over the links that carry services. Each answer tells by which sites it was relayed, and\n' +
    'each of them is pinged as well. The table at the end has what each hop adds. Of a service every site that offers it is pinged, and asked to\n' +
    'connect to its server. A skupper-router is measured by an answer of its management. If pings work and a service does not, look at\n' +
    'its servers, or van check. The exit code is 1 when a site did not answer at all, or a server does not accept connections.',
  examples: [
    { line: 'van ping west', meaning: 'How far is the site west, and by which way?' },
    { line: 'van ping backend', meaning: 'Who offers the service, and does the server accept connections?' },
    { line: 'van ping west -c 100 --interval 200ms -o json', meaning: 'For a program' },
    { line: 'van ping service/west', meaning: 'The service, where a site has the same name' },
  ],
  async run(call) {
    const isJson = parseChoice(call.text('output') ?? 'text', '--output', formats) === 'json';
    const attributes = {
      target: call.parameter('TARGET'),
      count: parseInteger(call.text('count') ?? '4', '--count', 1, mostPings),
      intervalMs: intervalOf(call),
      timeoutMs: call.timeoutMs,
    };
    const run = new PingRun(call, isJson);
    const stopping = new AbortController();
    const stop = (): void => stopping.abort();
    process.once('SIGINT', stop);
    try {
      await new SiteSession(call).stream('PING', attributes, (body) => run.take(body as PingBody), stopping.signal);
    } finally {
      process.off('SIGINT', stop);
    }
    if (!run.isDone && !stopping.signal.aborted && !call.shell.isReaderGone) {
      throw new WeatherError('ping-ended', 'the site ended the ping', { remedy: `see van${call.namespaceOption} site status` });
    }
    return run.finish();
  },
};

function intervalOf(call: Call): number {
  const intervalMs = parseDurationMs(call.text('interval') ?? '1s', '--interval');
  if (intervalMs >= leastIntervalMs) return intervalMs;
  throw new InputError(
    'bad-option',
    '--interval',
    `must be at least ${leastIntervalMs}ms: pings are to measure the network, not to load it`,
  );
}

/** Shows what comes, and keeps it for the summary. */
class PingRun {
  readonly #call: Call;
  readonly #isJson: boolean;
  readonly #answers = new Map<string, PingReported[]>();
  #serversFailed = false;
  isDone = false;

  constructor(call: Call, isJson: boolean) {
    this.#call = call;
    this.#isJson = isJson;
  }

  /** False when nothing more is wanted. */
  take(body: PingBody): boolean {
    if (body.type === 'done') {
      this.isDone = true;
      return false;
    }
    if (body.type === 'answer') this.#keep(body);
    else if (body.type === 'servers' && body.servers.some(({ failure }) => failure !== undefined)) this.#serversFailed = true;
    this.#call.shell.writeOut(this.#isJson ? `${JSON.stringify(body)}\n` : textOf(body));
    return !this.#call.shell.isReaderGone;
  }

  #keep(answer: PingReported): void {
    const kept = this.#answers.get(answer.routerId) ?? [];
    kept.push(answer);
    if (kept.length > maxKept) kept.shift();
    this.#answers.set(answer.routerId, kept);
  }

  /** The summary; gives the exit code. */
  finish(): number {
    const summaries = [...this.#answers.values()].map(summarize).filter((summary): summary is PingSummary => summary !== undefined);
    for (const summary of summaries) this.#call.shell.writeOut(this.#isJson ? `${JSON.stringify(summary)}\n` : summaryText(summary));
    return this.#serversFailed || summaries.some(({ answered }) => answered === 0) ? 1 : 0;
  }
}

function textOf(body: Exclude<PingBody, { type: 'done' }>): string {
  switch (body.type) {
    case 'started':
      return startedText(body);
    case 'servers':
      return serversText(body);
    default:
      return answerText(body);
  }
}
