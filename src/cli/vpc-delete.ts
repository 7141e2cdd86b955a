import type { Command } from './command.ts';
import { deleteOverlayResource, overlaySocketOption } from './overlay-session.ts';

export const command: Command = {
  parameters: [{ name: 'NAME', meaning: 'name of the VPC' }],
  options: overlaySocketOption,
  description: 'Its subnets, services and policies are deleted before. Its VNI is not given to another VPC for a day.',
  examples: [{ line: 'van vpc delete red', meaning: 'Delete a VPC without subnets' }],
  run: (call) => deleteOverlayResource(call, 'VPC'),
};
