import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Logger } from '../base/log.ts';

/** One call or command at a time; it is given up after this long. */
const callTimeoutMs = 30_000;
/** What a command says on standard error is logged up to this length. */
const maxMessageLength = 1000;

/** How a server that is not running is started. */
export type ActivationWay = { readonly url: string } | { readonly command: string };

/** What a command that failed has said last is read for so long after its end. */
const lateOutputMs = 200;

/** Starts a server that runs only while it is needed: by a POST to a URL, or by a command of the shell. */
export class ServerActivation {
  readonly #way: ActivationWay;
  readonly #log: Logger;
  readonly #stopping = new AbortController();
  #running = false;

  constructor(way: ActivationWay, log: Logger) {
    this.#way = way;
    this.#log = log;
  }

  /** Begins to start the server, unless that is under way. What fails is logged: whether the server is there shows by trying it. */
  activate(): void {
    if (this.#running || this.#stopping.signal.aborted) return;
    this.#running = true;
    const way = this.#way;
    this.#log.info('starting a server', { by: 'url' in way ? way.url : way.command });
    ('url' in way ? this.#call(way.url) : this.#execute(way.command))
      .catch((error: unknown) => {
        if (!this.#stopping.signal.aborted) this.#log.warn('starting a server failed', { reason: error });
      })
      .finally(() => (this.#running = false));
  }

  get #signal(): AbortSignal {
    return AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(callTimeoutMs)]);
  }

  async #call(url: string): Promise<void> {
    const answer = await fetch(url, { method: 'POST', signal: this.#signal, redirect: 'error' });
    await answer.body?.cancel();
    if (!answer.ok) throw new Error(`${url} answered with ${answer.status}`);
  }

  /** The command has no input and its output is not read; it may leave the server behind as a process of its own. */
  async #execute(command: string): Promise<void> {
    const child: ChildProcess = spawn('/bin/sh', ['-c', command], { stdio: ['ignore', 'ignore', 'pipe'], signal: this.#signal });
    let message = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      message = (message + text).slice(0, maxMessageLength);
    });
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
      // Not 'close' alone: what the command leaves behind may hold its standard error open.
      child.once('exit', (status) => {
        if (status === 0) resolve(status);
        else setTimeout(() => resolve(status), lateOutputMs);
      });
    });
    child.stderr?.destroy();
    if (code !== 0) throw new Error(`the command ended with ${code}: ${message.trim()}`);
  }

  /** Gives up what is under way. */
  stop(): void {
    this.#stopping.abort();
  }
}
