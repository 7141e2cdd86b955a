import { rm } from 'node:fs/promises';
import { webcrypto } from 'node:crypto';
import type { LogLevel } from '../base/log.ts';
import { writeFileAtomic } from '../host/atomic-file.ts';
import { IdleCollector } from '../host/idle-collector.ts';
import { lineLogger } from '../host/line-log.ts';
import { LogFilter } from '../host/log-filter.ts';
import { openLineServer } from '../host/line-server.ts';
import { logOutput } from '../host/log-output.ts';
import { processClock } from '../host/process-clock.ts';
import { processRandom } from '../host/process-random.ts';
import { LineSplitter } from '../management/line-splitter.ts';
import { lineLimitBytes, pendingRequestLimit } from '../management/management-protocol.ts';
import { answerLines } from '../router/management.ts';
import { machineNames } from './access-points.ts';
import { ObserverProcess } from './observer-process.ts';
import { layoutOf } from './process-environment.ts';
import { defaultDrainMs, handleSiteRequest } from './site-requests.ts';
import { SiteSupervisor } from './site-supervisor.ts';

export interface RunSiteOptions {
  readonly namespace: string;
  /** Version of this program. */
  readonly version: string;
  readonly environment?: NodeJS.ProcessEnv;
  readonly logLevel?: LogLevel;
  /** How long connections may finish after SIGTERM. */
  readonly drainMs?: number;
}

/**
 * Runs the site of a namespace until SIGTERM, SIGINT or STOP, then drains; a second signal ends it at once. Gives the exit
 * code. Throws when the site cannot start: WeatherError `state-in-use`, `disk-full`, ..., InputError `no-site`, `state-version`, ...
 */
export async function runSite(options: RunSiteOptions): Promise<number> {
  const { namespace, version, environment = process.env, logLevel = 'info', drainMs = defaultDrainMs } = options;
  const layout = layoutOf(namespace, environment);
  const filter = new LogFilter(lineLogger(logOutput(layout.logFile), 'debug', processClock.wallMs, 'site'), logLevel);
  const log = filter.logger;
  const random = processRandom();
  const stopping = Promise.withResolvers<number>();
  const signalled = (signal: NodeJS.Signals): void => {
    log.info('stopping', { signal });
    stopping.resolve(drainMs);
  };
  process.once('SIGTERM', signalled);
  process.once('SIGINT', signalled);
  try {
    await using observer = new ObserverProcess({ namespace, environment, log: log.child('observer') });
    await using supervisor = await SiteSupervisor.open({
      namespace,
      layout,
      clock: processClock,
      random,
      crypto: { subtle: webcrypto.subtle, random },
      log,
      version,
      machine: machineNames(),
      configureLog: (levels) => filter.configure(levels),
      observer,
    });
    // Before anybody can ask: whoever gets an answer finds it.
    await using _pidFile = await writePidFile(layout.pidFile);
    const context = { supervisor, version, stop: stopping.resolve };
    await using _management = await openLineServer({
      path: layout.managementSocket,
      privateFolder: layout.managementSocketFolder,
      newReader: () => new LineSplitter(lineLimitBytes),
      answer: answerLines((request, client) => handleSiteRequest(context, request, client), log),
      pendingLimit: pendingRequestLimit,
      log,
    });
    using _collector = new IdleCollector();
    log.info('site is running', { name: supervisor.siteName, namespace, router: supervisor.routerId, version });
    const deadlineMs = await stopping.promise;
    log.info('draining', { connections: supervisor.openConnections, deadlineMs });
    const cut = cutShort();
    await Promise.race([supervisor.drain(deadlineMs), cut.promise]);
    cut.forget();
  } finally {
    process.off('SIGTERM', signalled);
    process.off('SIGINT', signalled);
  }
  log.info('site has stopped');
  return 0;
}

/** Says which process runs the site, until disposal. One that is left behind tells the next start that the site did not end in order. */
async function writePidFile(path: string): Promise<AsyncDisposable> {
  await writeFileAtomic(path, `${process.pid}\n`);
  return { [Symbol.asyncDispose]: () => rm(path, { force: true }) };
}

/** A second signal while draining. */
function cutShort(): { promise: Promise<void>; forget: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const again = (): void => resolve();
  process.on('SIGTERM', again);
  process.on('SIGINT', again);
  return {
    promise,
    forget: () => {
      process.off('SIGTERM', again);
      process.off('SIGINT', again);
    },
  };
}
