import type { Command } from './command.ts';
import { deleteResource } from './service-resources.ts';

export const command: Command = {
  parameters: [{ name: 'NAME', meaning: 'name of the connector' }],
  options: {},
  description: 'The server gets no new connections from the network.',
  examples: [{ line: 'van connector delete backend', meaning: 'Offer "backend" here no more' }],
  run: (call) => deleteResource(call, 'Connector'),
};
