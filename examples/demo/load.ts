/**
 * The demonstration's load generator: keeps a number of requests in flight against a URL and remembers who served the last
 * 100. What a TCP service balances are connections, so each request has one of its own; an HTTP service balances requests, so
 * connections are kept and used again.
 *
 * `node examples/demo/load.ts --in-flight 10 [--keep-alive] [--seconds 20] http://127.0.0.1:8080/`
 */
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

/** How many of the latest responses are remembered. */
export const windowLength = 100;
/** Longer than any queue of the demonstration: 50 requests of 100 ms. */
const requestTimeoutMs = 5000;
/** After a failure, so that a refused connection does not become a busy loop. */
const pauseAfterErrorMs = 50;
/** A greeting is a name; whatever is longer is not the service. */
const maximumBodyCharacters = 100;

interface Served {
  readonly server: string;
  readonly latencyMs: number;
  readonly atMs: number;
}

/** How a load asks. */
export interface LoadOptions {
  /** Keep connections and use them again; otherwise each request has one of its own. */
  readonly keepAlive?: boolean;
}

/** What the load saw. */
export interface LoadState {
  readonly inFlight: number;
  /** Responses and failed requests since the last `mark()`. */
  readonly responses: number;
  readonly errors: number;
  readonly lastError: string | undefined;
  /** How many of the last 100 responses each server gave. */
  readonly lastServed: ReadonlyMap<string, number>;
  /** Of the last 100 responses. NaN when there was none. */
  readonly latencyP50Ms: number;
  readonly latencyP99Ms: number;
  /** From the times of the last 100 responses. */
  readonly responsesPerSecond: number;
}

async function ask(url: string, agent: Agent | undefined): Promise<string> {
  return await new Promise((resolve, reject) => {
    const outgoing = request(url, { agent: agent ?? false, signal: AbortSignal.timeout(requestTimeoutMs) }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        body += text;
        if (body.length > maximumBodyCharacters) outgoing.destroy(new Error('the answer is too long'));
      });
      response.once('error', reject);
      response.once('end', () => {
        if (response.statusCode === 200) resolve(body.trim());
        else reject(new Error(`status ${response.statusCode}`));
      });
    });
    outgoing.once('error', reject);
    outgoing.end();
  });
}

function percentile(sorted: readonly number[], percent: number): number {
  return sorted.at(Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))) ?? Number.NaN;
}

/** Keeps requests in flight from the moment `setInFlight` asks for some until it is stopped. */
export class Load {
  readonly #url: string;
  readonly #agent: Agent | undefined;
  readonly #loops = new Set<Promise<void>>();
  #last: Served[] = [];
  #inFlight = 0;
  #running = 0;
  #responses = 0;
  #errors = 0;
  #lastError: string | undefined;

  constructor(url: string, { keepAlive = false }: LoadOptions = {}) {
    this.#url = url;
    // As many connections as there are requests in flight: in HTTP/1.1 each carries one at a time.
    if (keepAlive) this.#agent = new Agent({ keepAlive: true });
  }

  /** More requests start at once; fewer, as those in flight end. */
  setInFlight(count: number): void {
    this.#inFlight = count;
    while (this.#running < count) {
      this.#running += 1;
      const loop = this.#loop().finally(() => this.#loops.delete(loop));
      this.#loops.add(loop);
    }
  }

  /** Starts counting anew and forgets the last 100. */
  mark(): void {
    this.#last = [];
    this.#responses = 0;
    this.#errors = 0;
    this.#lastError = undefined;
  }

  state(): LoadState {
    const lastServed = new Map<string, number>();
    for (const { server } of this.#last) lastServed.set(server, (lastServed.get(server) ?? 0) + 1);
    const latencies = this.#last.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b);
    const first = this.#last.at(0);
    const last = this.#last.at(-1);
    const spanMs = first === undefined || last === undefined ? 0 : last.atMs - first.atMs;
    return {
      inFlight: this.#inFlight,
      responses: this.#responses,
      errors: this.#errors,
      lastError: this.#lastError,
      lastServed,
      latencyP50Ms: percentile(latencies, 50),
      latencyP99Ms: percentile(latencies, 99),
      responsesPerSecond: spanMs === 0 ? 0 : ((this.#last.length - 1) * 1000) / spanMs,
    };
  }

  /** Lets the requests in flight end and starts no more. */
  async stop(): Promise<void> {
    this.setInFlight(0);
    await Promise.all(this.#loops);
    this.#agent?.destroy();
  }

  async #loop(): Promise<void> {
    // A loop that is one too many ends between two requests: nothing in flight is cut off.
    while (this.#running <= this.#inFlight) {
      const startMs = performance.now();
      try {
        const server = await ask(this.#url, this.#agent);
        const atMs = performance.now();
        this.#responses += 1;
        this.#last.push({ server, latencyMs: atMs - startMs, atMs });
        if (this.#last.length > windowLength) this.#last.shift();
      } catch (error) {
        this.#errors += 1;
        this.#lastError = (error as Error).message;
        await sleep(pauseAfterErrorMs);
      }
    }
    this.#running -= 1;
  }
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      'in-flight': { type: 'string', default: '1' },
      'keep-alive': { type: 'boolean', default: false },
      seconds: { type: 'string', default: 'Infinity' },
    },
  });
  const [url] = positionals;
  const seconds = Number(values.seconds);
  if (url === undefined) {
    process.stderr.write('Usage: node examples/demo/load.ts [--in-flight N] [--keep-alive] [--seconds N] URL\n');
    process.exit(2);
  }
  const load = new Load(url, { keepAlive: values['keep-alive'] });
  load.setInFlight(Number(values['in-flight']));
  for (let second = 1; second <= seconds; second += 1) {
    await sleep(1000);
    const state = load.state();
    const shares = [...state.lastServed].map(([server, count]) => `${server} ${count}`).join(', ');
    process.stdout.write(
      `last ${windowLength}: ${shares}; ${state.responsesPerSecond.toFixed(1)}/s, p50 ${state.latencyP50Ms.toFixed(0)} ms, errors ${state.errors}\n`,
    );
  }
  await load.stop();
}
