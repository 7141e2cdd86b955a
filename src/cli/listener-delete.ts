import type { Command } from './command.ts';
import { deleteResource } from './service-resources.ts';

export const command: Command = {
  parameters: [{ name: 'NAME', meaning: 'name of the listener' }],
  options: {},
  description: 'The port is closed, and connections that came by it end.',
  examples: [{ line: 'van listener delete backend', meaning: 'Close the port of "backend"' }],
  run: (call) => deleteResource(call, 'Listener'),
};
