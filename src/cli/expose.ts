import type { Command } from './command.ts';
import { connectorTlsOptions, createService, printCreated, serviceOptions, serviceParameters } from './service-resources.ts';

export const command: Command = {
  parameters: serviceParameters,
  options: {
    ...serviceOptions,
    ...connectorTlsOptions,
    host: { value: 'HOST', meaning: 'where the server is, as seen from this host', default: '127.0.0.1' },
  },
  description: 'It creates a connector, as "van connector create" does, and says how other sites use the service.',
  examples: [{ line: 'van expose web 3000', meaning: 'Offer the server at port 3000 of this host to the network as "web"' }],
  async run(call) {
    const resource = await createService(call, 'Connector', call.text('host') ?? '127.0.0.1');
    const { name } = resource.metadata;
    const { routingKey, host, port } = resource.spec;
    const type = resource.spec.type === undefined ? '' : ` --type ${resource.spec.type}`;
    const listen = `van listener create ${routingKey} ${port}${type}`;
    await printCreated(
      call,
      resource,
      `${host}:${port} is offered to the network as "${routingKey}".\n` +
        `At a site that is to use it:  ${listen}\n` +
        `To end it here:               van${call.namespaceOption} connector delete ${name}`,
    );
    return 0;
  },
};
