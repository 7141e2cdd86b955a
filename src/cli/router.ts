import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { InputError, WeatherError } from '../base/errors.ts';
import { lineLogger } from '../host/line-log.ts';
import { processClock } from '../host/process-clock.ts';
import { processRandom } from '../host/process-random.ts';
import { parseRouterConfiguration } from '../management/router-configuration.ts';
import { Router } from '../router/router.ts';
import { version } from './version.ts';

/** `van router --config FILE`: one router from skupper-router's entities, without a site around it. */
export async function run(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      config: { type: 'string', short: 'c' },
      'log-level': { type: 'string', default: 'info' },
      'drain-timeout': { type: 'string', default: '30' },
    },
  });
  const file = values.config;
  if (file === undefined) throw new InputError('missing-option', '--config', 'the file with the router configuration is needed');
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new WeatherError('unreadable-file', `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  const level = values['log-level'];
  if (level !== 'debug' && level !== 'info' && level !== 'warn' && level !== 'error') {
    throw new InputError('bad-option', '--log-level', 'must be debug, info, warn or error');
  }
  const log = lineLogger((line) => process.stderr.write(line), level, processClock.wallMs);
  const router = new Router(parseRouterConfiguration(text, file), { clock: processClock, random: processRandom, log, version });
  const stopped = new Promise<NodeJS.Signals>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
  await router.start();
  log.info('router is running', { id: router.routerId });
  const signal = await stopped;
  log.info('draining', { signal, connections: router.openConnections });
  await router.drain(Number(values['drain-timeout']) * 1000);
  return 0;
}
