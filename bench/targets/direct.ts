import type { TargetKind } from './target.ts';

/** No router at all: what client and server can do on this machine. */
export const direct: TargetKind = {
  name: 'direct',
  services: ['tcp', 'bulk', 'http1', 'http2', 'datagrams'],
  describe: async () => 'client and server on one loopback connection, no TLS, no router',
  missing: () => undefined,
  start: async (context) => ({
    name: 'direct',
    ports: {
      tcp: context.httpBackendPort,
      http1: context.httpBackendPort,
      http2: context.http2BackendPort,
      bulk: context.bulkBackendPort,
      datagrams: context.bulkBackendPort,
    },
    routers: [],
  }),
};
