import type { Command } from './command.ts';
import { flagCell, messageCell, nameCell, showStatus, specCell, statusCell, typeCell } from './service-resources.ts';

export const command: Command = {
  parameters: [{ name: 'NAME', meaning: 'only this one, in detail', optional: true }],
  options: {},
  description: 'A listener is Ready when its port can be used: some connector with its routing key can be reached.',
  examples: [
    { line: 'van listener status', meaning: 'All listeners of the site' },
    { line: 'van listener status backend --wait ready --timeout 2m', meaning: 'Wait until "backend" can be used' },
  ],
  run: (call) =>
    showStatus(call, {
      kind: 'Listener',
      plural: 'listeners',
      columns: [
        ['NAME', nameCell],
        ['STATUS', statusCell],
        ['TYPE', typeCell],
        ['ROUTING-KEY', specCell('routingKey')],
        ['HOST', specCell('host')],
        ['PORT', specCell('port')],
        ['HAS MATCHING CONNECTOR', flagCell('hasMatchingConnector')],
        ['MESSAGE', messageCell],
      ],
    }),
};
