import type { TargetKind } from './target.ts';

/** No router at all: what client and server can do on this machine. */
export const direct: TargetKind = {
  name: 'direct',
  describe: async () => 'client and server on one loopback connection, no TLS, no router',
  missing: () => undefined,
  start: async (context) => ({
    name: 'direct',
    httpPort: context.httpBackendPort,
    bulkPort: context.bulkBackendPort,
    routers: [],
  }),
};
