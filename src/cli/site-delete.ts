import { InputError } from '../base/errors.ts';
import { deleteSiteFolder } from '../supervisor/site-folder.ts';
import type { Command } from './command.ts';
import { endSite } from './end-site.ts';
import { parseDurationMs } from './option-values.ts';
import { printDone } from './output.ts';
import { noSite, SiteSession } from './site-session.ts';
import { removeUnit } from './systemd-unit.ts';

export const command: Command = {
  parameters: [{ name: 'NAME', meaning: 'name of the site, to be sure that it is the one that is meant', optional: true }],
  options: { 'drain-timeout': { value: 'DURATION', meaning: 'how long open connections may go on', default: '2s' } },
  description: 'Its resources, keys and certificates are deleted: to come back into its network the site needs a new token.',
  examples: [
    { line: 'van site delete', meaning: 'Delete the site of the default namespace' },
    { line: 'van -n east site delete east', meaning: 'Only if it is called "east"' },
  ],
  async run(call) {
    const drainMs = parseDurationMs(call.text('drain-timeout') ?? '2s', '--drain-timeout');
    const wanted = call.optionalParameter('NAME');
    const session = new SiteSession(call);
    if (!(await session.exists())) throw noSite(call);
    if (wanted !== undefined) {
      const { resources } = await session.resources();
      const name = resources.find(({ kind }) => kind === 'Site')?.metadata.name;
      if (name !== wanted) {
        throw new InputError('other-site', 'NAME', `the site of namespace '${call.namespace}' is '${name ?? ''}', not '${wanted}'`, {
          remedy: 'choose the namespace with -n; van site status --all shows all',
        });
      }
    }
    await endSite(call, session, drainMs);
    await deleteSiteFolder(session.layout);
    const unit = await removeUnit(call);
    const note = unit === undefined ? '' : `\nIts unit is deleted; to make systemd forget it: ${unit}`;
    await printDone(call, `The site of namespace "${call.namespace}" is deleted.${note}`, { namespace: call.namespace, deleted: true });
    return 0;
  },
};
