import type { Command } from './command.ts';
import { connectorTlsOptions, createService, printCreated, serviceOptions, serviceParameters } from './service-resources.ts';

export const command: Command = {
  parameters: serviceParameters,
  options: {
    ...serviceOptions,
    ...connectorTlsOptions,
    host: { value: 'HOST', meaning: 'where the server is, as seen from this host', default: '127.0.0.1' },
  },
  description: 'Listeners with the same routing key, at any site, lead their clients to the server. Several connectors share the load.',
  examples: [
    { line: 'van connector create backend 8080', meaning: 'Offer the server at 127.0.0.1:8080 as "backend"' },
    { line: 'van connector create db 5432 --host 10.0.0.7 --routing-key postgres', meaning: 'Offer a server of another host' },
    { line: 'van connector create shop 3000 --type http', meaning: 'Share the requests of HTTP, not whole connections' },
    { line: 'van connector create api 443 --host api.internal --tls-credentials api-ca', meaning: 'Speak TLS with the server' },
  ],
  async run(call) {
    const resource = await createService(call, 'Connector', call.text('host') ?? '127.0.0.1');
    const { name } = resource.metadata;
    const { routingKey, host, port } = resource.spec;
    await printCreated(call, resource, `Connector "${name}" is created: routing key "${routingKey}" leads to ${host}:${port}.`);
    return 0;
  },
};
