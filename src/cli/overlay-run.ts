import type { LogLevel } from '../base/log.ts';
import { lineLogger } from '../host/line-log.ts';
import { processClock } from '../host/process-clock.ts';
import { runOverlay } from '../overlay-host/run-overlay.ts';
import type { Command } from './command.ts';
import { neededConfiguration, overlayConfigurationOption } from './overlay-options.ts';
import { parseChoice } from './option-values.ts';

const logLevels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

export const command: Command = {
  parameters: [],
  options: {
    config: overlayConfigurationOption,
    'log-level': { value: 'LEVEL', meaning: 'debug, info, warn or error', default: 'info' },
  },
  description:
    'Connects the pods of this host with those of the other hosts. At SIGTERM or SIGINT it ends, and the pods keep their network: programs\n' +
    'and maps stay in the kernel until it runs again, or until "van overlay remove". At SIGHUP it reads its configuration again, as with\n' +
    '"van overlay reload". Needs root. The log is on standard error.',
  examples: [{ line: 'van overlay run --config overlay.yaml', meaning: 'Run the overlay on this host' }],
  async run(call) {
    const logLevel = parseChoice(call.text('log-level') ?? 'info', '--log-level', logLevels);
    return runOverlay(
      neededConfiguration(call),
      lineLogger((line) => call.shell.writeError(line), logLevel, processClock.wallMs),
    );
  },
};
