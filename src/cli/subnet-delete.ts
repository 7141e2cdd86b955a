import type { Command } from './command.ts';
import { deleteOverlayResource, overlaySocketOption } from './overlay-session.ts';

export const command: Command = {
  parameters: [{ name: 'NAME', meaning: 'name of the subnet' }],
  options: overlaySocketOption,
  description: 'Refused while pods are in it, at whatever host.',
  examples: [{ line: 'van subnet delete front', meaning: 'Delete a subnet without pods' }],
  run: (call) => deleteOverlayResource(call, 'Subnet'),
};
