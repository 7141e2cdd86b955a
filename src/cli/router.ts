import { InputError } from '../base/errors.ts';
import type { LogLevel } from '../base/log.ts';
import { IdleCollector } from '../host/idle-collector.ts';
import { lineLogger } from '../host/line-log.ts';
import { LogFilter } from '../host/log-filter.ts';
import { processClock } from '../host/process-clock.ts';
import { processRandom } from '../host/process-random.ts';
import { parseRouterConfiguration } from '../management/router-configuration.ts';
import { serveManagement } from '../router/management-socket.ts';
import { Router } from '../router/router.ts';
import { openSigning } from '../router/signing.ts';
import type { Command } from './command.ts';
import { parseChoice, parseDurationMs } from './option-values.ts';
import { readTextFile } from './read-text-file.ts';
import { version } from './version.ts';

/** The largest configurations have some thousand entities of 200 bytes. */
const configurationLimitBytes: number = 16 * 1024 * 1024;
const logLevels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

export const command: Command = {
  parameters: [],
  options: {
    config: { short: 'c', value: 'FILE', meaning: 'router configuration: a JSON list of entities as skupper-router has them' },
    'management-socket': { value: 'PATH', meaning: 'unix socket (mode 0600) on which state is read and entities are created and deleted' },
    'log-level': { value: 'LEVEL', meaning: 'debug, info, warn or error, where log entities say nothing', default: 'info' },
    'drain-timeout': { value: 'DURATION', meaning: 'how long open connections may go on after SIGTERM', default: '30s' },
  },
  description:
    'It runs until SIGTERM or SIGINT; then it accepts nothing new and lets open connections finish. The log is on standard error.',
  examples: [
    { line: 'van router --config router.json', meaning: 'Run a router of your own configuration' },
    { line: 'van router -c router.json --log-level debug', meaning: 'See what it does' },
    { line: 'van router -c router.json --management-socket /run/user/1000/router.sock', meaning: 'Change it while it runs' },
  ],
  async run(call) {
    const file = call.text('config');
    if (file === undefined) {
      throw new InputError('missing-option', '--config', 'the file with the router configuration is needed', {
        remedy: 'van router --config router.json',
      });
    }
    const level = parseChoice(call.text('log-level') ?? 'info', '--log-level', logLevels);
    const drainMs = parseDurationMs(call.text('drain-timeout') ?? '30s', '--drain-timeout');
    const configuration = parseRouterConfiguration(await readTextFile(call, file, configurationLimitBytes), file);
    const filter = new LogFilter(
      lineLogger((line) => call.shell.writeError(line), 'debug', processClock.wallMs),
      level,
    );
    const log = filter.logger;
    const random = processRandom();
    const { signing: signingEntity } = configuration;
    await using signing = signingEntity === undefined ? undefined : await openSigning(signingEntity, { clock: processClock, random, log });
    const router = new Router(configuration, {
      clock: processClock,
      random,
      ...(signing === undefined ? {} : { signing }),
      log,
      version,
      configureLog: (levels) => filter.configure(levels),
    });
    const stopped = new Promise<NodeJS.Signals>((resolve) => {
      process.once('SIGTERM', resolve);
      process.once('SIGINT', resolve);
    });
    const socket = call.text('management-socket');
    await using _management =
      socket === undefined ? undefined : await serveManagement(router, { path: socket, clock: processClock, log, version });
    await router.start();
    using _collector = new IdleCollector();
    log.info('router is running', { id: router.routerId });
    const signal = await stopped;
    log.info('draining', { signal, connections: router.openConnections });
    await router.drain(drainMs);
    return 0;
  },
};
