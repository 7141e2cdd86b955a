import type { Command } from './command.ts';
import { flagCell, messageCell, nameCell, showStatus, specCell, statusCell, typeCell } from './service-resources.ts';

export const command: Command = {
  parameters: [{ name: 'NAME', meaning: 'only this one, in detail', optional: true }],
  options: {},
  description: 'A connector is Ready when some listener of the network has its routing key.',
  examples: [
    { line: 'van connector status', meaning: 'All connectors of the site' },
    { line: 'van connector status backend -o yaml', meaning: 'Everything about one' },
  ],
  run: (call) =>
    showStatus(call, {
      kind: 'Connector',
      plural: 'connectors',
      columns: [
        ['NAME', nameCell],
        ['STATUS', statusCell],
        ['TYPE', typeCell],
        ['ROUTING-KEY', specCell('routingKey')],
        ['HOST', specCell('host')],
        ['PORT', specCell('port')],
        ['HAS MATCHING LISTENER', flagCell('hasMatchingListener')],
        ['MESSAGE', messageCell],
      ],
    }),
};
