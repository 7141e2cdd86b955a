import type { Command } from './command.ts';
import { printDone } from './output.ts';
import { placeIn, readOverlayFile } from './overlay-file.ts';
import { applyOverlayResources, overlaySocketOption } from './overlay-session.ts';
import { fileOption } from './resource-file.ts';

export const command: Command = {
  parameters: [],
  options: { ...overlaySocketOption, ...fileOption },
  description:
    'Kinds: VPC, Subnet, Endpoint, OverlayService, OverlayPolicy (caravan.dev/v1alpha1). Everything is checked before anything is changed, and\n' +
    'all hosts know it at once, whichever is asked.',
  examples: [
    { line: 'van overlay apply -f tenants.yaml', meaning: 'Create what is not there, change what is different' },
    { line: 'van overlay get OverlayPolicy -o yaml | van overlay apply -f -', meaning: 'From another command' },
  ],
  async run(call) {
    const placed = await readOverlayFile(call);
    const outcomes = await applyOverlayResources(
      call,
      placed.map(({ resource }) => resource),
      { isNew: false, placeOf: (name, path) => placeIn(placed, name, path) },
    );
    await printDone(call, outcomes.map(({ kind, name, outcome }) => `${kind}/${name} ${outcome}`).join('\n'), outcomes);
    return 0;
  },
};
