import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import type { Logger } from '../../src/base/log.ts';
import type { NetworkSnapshot } from '../../src/flows/network-snapshot.ts';
import { openWebServer } from '../../src/observer/web-server.ts';
import type { WebServer, WebServerOptions } from '../../src/observer/web-server.ts';
import { SyntheticObserver } from './synthetic-observer.ts';

/** A clock that a test sets forward. */
export class TestClock implements Clock {
  #aheadMs = 0;

  nowMs(): number {
    return performance.now() + this.#aheadMs;
  }

  wallMs(): number {
    return Date.now() + this.#aheadMs;
  }

  advance(byMs: number): void {
    this.#aheadMs += byMs;
  }
}

export const emptySnapshot: NetworkSnapshot = {
  atMs: 0,
  networkId: null,
  windowMs: 60_000,
  sites: [],
  links: [],
  services: [],
  edges: [],
  warnings: [],
  droppedFlows: 0,
};

/** The product's web server in front of an observer that a test makes up. */
export class TestConsole implements AsyncDisposable {
  readonly folder: string;
  readonly observer: SyntheticObserver;
  readonly clock: TestClock;
  readonly server: WebServer;
  readonly #log: string[];

  private constructor(folder: string, observer: SyntheticObserver, clock: TestClock, server: WebServer, log: string[]) {
    this.folder = folder;
    this.observer = observer;
    this.clock = clock;
    this.server = server;
    this.#log = log;
  }

  static async open(snapshot: NetworkSnapshot = emptySnapshot, options: Partial<WebServerOptions> = {}): Promise<TestConsole> {
    const folder = await mkdtemp(join(tmpdir(), 'caravan-console-'));
    const observer = new SyntheticObserver(snapshot);
    const clock = new TestClock();
    const lines: string[] = [];
    const write = (message: string, fields?: Readonly<Record<string, unknown>>): void => {
      lines.push(`${message} ${JSON.stringify(fields ?? {})}`);
    };
    const log: Logger = { ...silentLogger, info: write, warn: write, error: write, child: () => log };
    try {
      const server = await openWebServer({
        listen: { host: '127.0.0.1', port: 0 },
        rest: observer.rest,
        events: observer.events,
        folder,
        clock,
        log,
        siteName: () => 'test-site',
        ...options,
      });
      return new TestConsole(folder, observer, clock, server, lines);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** Everything that was logged, one line each. */
  get log(): string {
    return this.#log.join('\n');
  }

  get port(): number {
    return this.server.address.port;
  }

  /** Asks what the owner of the site may ask. */
  async control(method: string, path: string, query = ''): Promise<unknown> {
    const { body } = await this.server.control.handle({ method, path, query: new URLSearchParams(query), user: null });
    return JSON.parse(body);
  }

  /** A link that logs in once. */
  async loginLink(): Promise<string> {
    return ((await this.control('POST', '/control/login-link')) as { url: string }).url;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** A folder with a page, a script, and files that are not to be served. */
export async function plainPages(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'caravan-pages-'));
  await mkdir(join(folder, 'assets'));
  await mkdir(join(folder, '.building-1'));
  const page = '<!doctype html><title>Console</title><script type="module" src="/assets/index-abc.js"></script>';
  await writeFile(join(folder, 'index.html'), page);
  await writeFile(join(folder, 'assets/index-abc.js'), 'document.title = "console";\n');
  await writeFile(join(folder, 'assets/notes.txt'), 'not to be served');
  await writeFile(join(folder, '.building-1/index.html'), 'not to be served');
  return folder;
}
