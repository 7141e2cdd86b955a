import { windowLength } from './load.ts';
import type { LoadState } from './load.ts';
import type { Loads } from './phases.ts';

const drawIntervalMs = 250;
const lineIntervalMs = 2000;
const barLength = 40;
const clearBelow = '\x1b[J';

function milliseconds(value: number): string {
  return Number.isNaN(value) ? '–' : `${value.toFixed(0)} ms`;
}

/** Shows what the loads see while they run: redrawn in place on a terminal, else a line for each every 2 s. */
export class LiveTable {
  readonly #loads: Loads;
  readonly #out: NodeJS.WriteStream;
  readonly #timer: NodeJS.Timeout;
  #title = '';
  #drawnLines = 0;

  constructor(loads: Loads, out: NodeJS.WriteStream) {
    this.#loads = loads;
    this.#out = out;
    this.#timer = setInterval(() => this.#draw(), out.isTTY ? drawIntervalMs : lineIntervalMs);
  }

  /** What is being shown now. */
  setTitle(title: string): void {
    this.#title = title;
  }

  /** Prints a line that stays, above the table. */
  print(line: string): void {
    this.#erase();
    this.#out.write(`${line}\n`);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#erase();
  }

  #erase(): void {
    if (this.#drawnLines > 0) this.#out.write(`\x1b[${this.#drawnLines}A\r${clearBelow}`);
    this.#drawnLines = 0;
  }

  #draw(): void {
    const lines = this.#out.isTTY ? ['', this.#title] : [];
    for (const [service, load] of this.#loads) lines.push(...this.#show(service, load.state()));
    this.#erase();
    this.#out.write(lines.map((line) => `${line}\n`).join(''));
    if (this.#out.isTTY) this.#drawnLines = lines.length;
  }

  #show(service: string, state: LoadState): string[] {
    const servers = [...state.lastServed].sort(([a], [b]) => (a < b ? -1 : 1));
    const rate = `${state.responsesPerSecond.toFixed(1)} responses/s`;
    const latency = `latency p50 ${milliseconds(state.latencyP50Ms)}, p99 ${milliseconds(state.latencyP99Ms)}`;
    const errors = `${state.errors} errors${state.lastError === undefined ? '' : ` (last: ${state.lastError})`}`;
    if (!this.#out.isTTY) {
      const shares = servers.map(([server, count]) => `${server} ${count}`).join(', ');
      return [`  ${this.#title}, ${service}: last ${windowLength}: ${shares || 'none yet'}; ${rate}, ${latency}, ${errors}`];
    }
    return [
      '',
      `  ${service}: ${state.inFlight} in flight`,
      ...servers.map(([server, count]) => {
        const bar = '█'.repeat(Math.round((count * barLength) / windowLength));
        return `    ${server.padEnd(8)} ${String(count).padStart(3)} of the last ${windowLength} ${bar}`;
      }),
      `    ${rate}, ${latency}, ${errors}`,
    ];
  }
}
