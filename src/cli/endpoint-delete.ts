import type { Command } from './command.ts';
import { deleteOverlayResource, overlaySocketOption } from './overlay-session.ts';

export const command: Command = {
  parameters: [{ name: 'NAME', meaning: 'name of the endpoint' }],
  options: overlaySocketOption,
  description: 'Its host takes the interface away.',
  examples: [{ line: 'van endpoint delete web', meaning: 'Delete an endpoint' }],
  run: (call) => deleteOverlayResource(call, 'Endpoint'),
};
