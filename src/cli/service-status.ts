import type { Command } from './command.ts';
import { askNetwork } from './network-status.ts';
import { printResult } from './output.ts';
import { formatTable } from './table.ts';

export const command: Command = {
  parameters: [{ name: 'KEY', meaning: 'only the service of this routing key', optional: true }],
  options: {},
  description:
    'Services of the whole network by routing key: at which sites they have connectors and listeners, and the ports of this site.',
  examples: [
    { line: 'van service status', meaning: 'All services' },
    { line: 'van service status backend -o yaml', meaning: 'Everything about one' },
  ],
  async run(call) {
    const key = call.optionalParameter('KEY');
    const { services } = await askNetwork(call);
    const shown = services.filter(({ routingKey }) => key === undefined || routingKey === key);
    await printResult(call, key === undefined ? shown : (shown[0] ?? null), () => {
      if (shown.length === 0) return key === undefined ? 'There are no services in the network.\n' : `Nobody offers or uses "${key}".\n`;
      const rows = shown.map(({ routingKey, types, distribution, connectors, listeners, localListeners }) => [
        routingKey,
        types.join(', ') || '-',
        distribution,
        connectors.map(({ name }) => name).join(', ') || '-',
        listeners.map(({ name }) => name).join(', ') || '-',
        localListeners.map(({ host, port, open }) => `${host}:${port}${open ? '' : ' (closed)'}`).join(', ') || '-',
      ]);
      return formatTable(['ROUTING-KEY', 'TYPE', 'DISTRIBUTION', 'OFFERED BY', 'USED AT', 'PORT HERE'], rows);
    });
    return key !== undefined && shown.length === 0 ? 1 : 0;
  },
};
