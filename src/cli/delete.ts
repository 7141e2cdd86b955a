import type { Command } from './command.ts';
import { printDone } from './output.ts';
import { fileOption, readResourceFile } from './resource-file.ts';
import { SiteSession } from './site-session.ts';

export const command: Command = {
  parameters: [],
  options: fileOption,
  description:
    'Only kind and name of each resource matter. Those that are not there are passed over; a Site is deleted with "van site delete".',
  examples: [{ line: 'van delete -f services.yaml', meaning: 'Delete what "van apply -f services.yaml" made' }],
  async run(call) {
    const { resources } = await readResourceFile(call);
    const session = new SiteSession(call);
    const present = await session.resources();
    const results: { kind: string; name: string; result: 'deleted' | 'not there' | 'kept' }[] = [];
    // What others refer to was created first, so it goes last.
    for (const { kind, metadata } of resources.toReversed()) {
      const { name } = metadata;
      const there = present.resources.some((resource) => resource.kind === kind && resource.metadata.name === name);
      if (there && kind !== 'Site') await session.remove(kind, name);
      results.push({ kind, name, result: !there ? 'not there' : kind === 'Site' ? 'kept' : 'deleted' });
    }
    const lines = results.map(({ kind, name, result }) => {
      return `${kind}/${name} ${result}${result === 'kept' ? ` (to delete the site: van${call.namespaceOption} site delete)` : ''}`;
    });
    await printDone(call, lines.join('\n'), results);
    if (!present.running) call.shell.writeError('The site is not running.\n');
    return 0;
  },
};
