import { lineLogger } from '../host/line-log.ts';
import { processClock } from '../host/process-clock.ts';
import { readConfiguration, removeOverlay } from '../overlay-host/run-overlay.ts';
import type { Command } from './command.ts';
import { neededConfiguration, overlayConfigurationOption } from './overlay-options.ts';

export const command: Command = {
  parameters: [],
  options: { config: overlayConfigurationOption },
  description:
    'Takes programs, maps and the links of pods out of the kernel: the pods of this host lose their network. Stop the daemon first. What it\n' +
    'keeps on the disk stays.',
  examples: [{ line: 'van overlay remove --config overlay.yaml', meaning: 'Take the overlay off this host' }],
  async run(call) {
    const configuration = readConfiguration(neededConfiguration(call));
    const log = lineLogger((line) => call.shell.writeError(line), 'info', processClock.wallMs);
    await removeOverlay(configuration, log);
    return 0;
  },
};
