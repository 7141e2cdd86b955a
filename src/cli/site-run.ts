import type { LogLevel } from '../base/log.ts';
import { runSite } from '../supervisor/run-site.ts';
import type { Command } from './command.ts';
import { parseChoice, parseDurationMs } from './option-values.ts';
import { noSite, SiteSession } from './site-session.ts';
import { version } from './version.ts';

const logLevels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

export const command: Command = {
  parameters: [],
  options: {
    'log-level': { value: 'LEVEL', meaning: 'debug, info, warn or error', default: 'info' },
    'drain-timeout': { value: 'DURATION', meaning: 'how long open connections may go on after SIGTERM', default: '10s' },
  },
  description:
    'For systemd and containers; "van site start" runs the same in the background. At SIGTERM or SIGINT it accepts nothing new and lets\n' +
    'open connections finish; a second signal ends it at once. The log is on standard error.',
  examples: [
    { line: 'van site run', meaning: 'Run the site of the default namespace until Ctrl-C' },
    { line: 'van site run -n east --log-level debug', meaning: 'See what it does' },
  ],
  async run(call) {
    const logLevel = parseChoice(call.text('log-level') ?? 'info', '--log-level', logLevels);
    const drainMs = parseDurationMs(call.text('drain-timeout') ?? '10s', '--drain-timeout');
    if (!(await new SiteSession(call).exists())) throw noSite(call);
    return runSite({ namespace: call.namespace, version, environment: call.shell.environment, logLevel, drainMs });
  },
};
