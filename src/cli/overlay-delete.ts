import type { ResourceOutcome } from '../overlay/catalog/resource-book.ts';
import type { Command } from './command.ts';
import { printDone } from './output.ts';
import { readOverlayFile } from './overlay-file.ts';
import { askOverlay, overlaySocketOption } from './overlay-session.ts';
import { fileOption } from './resource-file.ts';

export const command: Command = {
  parameters: [],
  options: { ...overlaySocketOption, ...fileOption },
  description:
    'Only kind and name of each resource matter. Those that are not there are passed over. What others need, and subnets with pods, are not\n' +
    'deleted; then nothing is.',
  examples: [{ line: 'van overlay delete -f tenants.yaml', meaning: 'Delete what "van overlay apply -f tenants.yaml" made' }],
  async run(call) {
    const names = (await readOverlayFile(call)).map(({ resource: { kind, metadata } }) => ({ kind, name: metadata.name }));
    const { outcomes } = (await askOverlay(call, { ask: 'delete', names })) as { outcomes: readonly ResourceOutcome[] };
    const lines = outcomes.map(({ kind, name, outcome }) => `${kind}/${name} ${outcome === 'absent' ? 'not there' : outcome}`);
    await printDone(call, lines.join('\n'), outcomes);
    return 0;
  },
};
