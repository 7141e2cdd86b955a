import type { Command } from './command.ts';
import { endSite } from './end-site.ts';
import { parseDurationMs } from './option-values.ts';
import { printDone } from './output.ts';
import { noSite, SiteSession } from './site-session.ts';

export const command: Command = {
  parameters: [],
  options: { 'drain-timeout': { value: 'DURATION', meaning: 'how long open connections may go on', default: '10s' } },
  description: 'It accepts nothing new, lets open connections finish and ends. "van site start" brings it back with all it had.',
  examples: [
    { line: 'van site stop', meaning: 'Stop the site of the default namespace' },
    { line: 'van site stop --drain-timeout 5m', meaning: 'Leave long downloads the time to finish' },
  ],
  async run(call) {
    const drainMs = parseDurationMs(call.text('drain-timeout') ?? '10s', '--drain-timeout');
    const session = new SiteSession(call);
    if (!(await session.exists())) throw noSite(call);
    const pid = await endSite(call, session, drainMs);
    await printDone(call, pid === undefined ? 'The site was not running.' : `The site has stopped (process ${pid}).`, {
      namespace: call.namespace,
      stopped: pid !== undefined,
    });
    return 0;
  },
};
