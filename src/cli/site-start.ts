import { startSiteInBackground } from '../supervisor/start-site.ts';
import type { Command } from './command.ts';
import { printDone } from './output.ts';
import { withProgress } from './progress.ts';
import { noSite, SiteSession } from './site-session.ts';
import { waitForResources } from './wait-for-resources.ts';

export const command: Command = {
  parameters: [],
  options: {},
  description: 'It runs in the background until "van site stop" or the end of the host. A site that runs already is left as it is.',
  examples: [{ line: 'van site start', meaning: 'Start the site of the default namespace' }],
  async run(call) {
    const session = new SiteSession(call);
    if (!(await session.exists())) throw noSite(call);
    const { namespace, timeoutMs } = call;
    const { site, pid } = await withProgress(
      call.shell,
      () => 'the site is starting',
      () => startSiteInBackground({ namespace, environment: call.shell.environment, timeoutMs }),
    );
    const level = call.waitLevel('ready');
    if (level !== 'none') await waitForResources(call, session, [{ kind: 'Site', name: site.name }], level);
    await printDone(call, `Site "${site.name}" is running (process ${pid}).`, { name: site.name, namespace, pid });
    return 0;
  },
};
