import type { Command } from './command.ts';
import { printDone } from './output.ts';
import { fileOption, readResourceFile } from './resource-file.ts';
import { noSite, SiteSession } from './site-session.ts';
import { waitForResources } from './wait-for-resources.ts';

export const command: Command = {
  parameters: [],
  options: fileOption,
  description:
    'Kinds: Site, RouterAccess, Link, Secret, Listener, MultiKeyListener, Connector, AccessGrant, AccessToken (skupper.io/v2alpha1).\n' +
    'Everything is checked before anything is changed. What stays the same is not touched: its connections go on.',
  examples: [
    { line: 'van apply -f services.yaml', meaning: 'Create what is not there, change what is different' },
    { line: 'van apply -f site.yaml && van site start', meaning: 'A whole site from a file' },
    { line: 'van link generate -n west | van apply -n east -f -', meaning: 'From another command' },
  ],
  async run(call) {
    const level = call.waitLevel('configured');
    const { where, resources } = await readResourceFile(call);
    const session = new SiteSession(call);
    const exists = await session.exists();
    // Only a Site makes a state folder.
    if (!exists && !resources.some(({ kind }) => kind === 'Site')) throw noSite(call);
    const { running, results } = exists ? await session.apply(resources, where) : await session.applyStopped(resources, where);
    const lines = results.map(({ kind, name, result }) => `${kind}/${name} ${result}`);
    if (running && level !== 'none') {
      const awaited = resources.filter(({ kind }) => kind !== 'Secret').map(({ kind, metadata }) => ({ kind, name: metadata.name }));
      await waitForResources(call, session, awaited, level);
    }
    await printDone(call, lines.join('\n'), results);
    if (!running) call.shell.writeError(`The site is not running; this takes effect at its start: van${call.namespaceOption} site start\n`);
    return 0;
  },
};
