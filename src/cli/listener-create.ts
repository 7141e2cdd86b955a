import type { Command } from './command.ts';
import { createService, listenerTlsOptions, printCreated, serviceOptions, serviceParameters } from './service-resources.ts';

export const command: Command = {
  parameters: serviceParameters,
  options: {
    ...serviceOptions,
    ...listenerTlsOptions,
    host: { value: 'HOST', meaning: 'local address to listen on; 0.0.0.0 lets other hosts in', default: '127.0.0.1' },
  },
  description:
    'Clients of this host connect to the port and reach the connectors with the same routing key, wherever they are. The port\n' +
    'is open only while there is one: before that, connections are refused.',
  examples: [
    { line: 'van listener create backend 8080', meaning: 'Reach the service "backend" at 127.0.0.1:8080' },
    {
      line: 'van listener create db 5432 --routing-key postgres --host 0.0.0.0',
      meaning: 'For the whole local network, under another name',
    },
    {
      line: 'van listener create shop 8443 --type http --tls-credentials shop-tls --setting max-tries=2',
      meaning: 'HTTP over TLS, with a setting',
    },
    { line: 'van listener create backend 8080 --wait ready', meaning: 'Wait until somebody offers the service' },
  ],
  async run(call) {
    const resource = await createService(call, 'Listener', call.text('host') ?? '127.0.0.1');
    const { name } = resource.metadata;
    const { routingKey, host, port } = resource.spec;
    await printCreated(call, resource, `Listener "${name}" is created: ${host}:${port} leads to routing key "${routingKey}".`);
    return 0;
  },
};
