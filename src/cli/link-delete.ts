import type { Command } from './command.ts';
import { deleteResource } from './service-resources.ts';

export const command: Command = {
  parameters: [{ name: 'NAME', meaning: 'name of the link' }],
  options: {},
  description:
    'The connection to the other site ends; what went by it takes another way, where there is one. The site stays a member of its network.',
  examples: [{ line: 'van link delete west-f3k2', meaning: 'Delete the link that "van link status" shows by this name' }],
  run: (call) => deleteResource(call, 'Link'),
};
