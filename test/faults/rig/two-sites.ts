import type { Lab } from './lab.ts';
import { Backend, backendPort } from './load.ts';
import type { RouterKind } from './router-kind.ts';
import { RouterNetwork, serviceConnector, serviceListener } from './routers.ts';
import type { FaultRouter, NetworkSettings, RouterPlan } from './routers.ts';
import { waitUntilServed } from './served.ts';

/** Ports of the service at the client's site: one for each of its two routers. */
const ports: readonly number[] = [8000, 8001];

export const twoSitesWires: readonly (readonly [string, string])[] = [['a', 'b']];

export interface TwoSites {
  /** a1 and a2 at the clients' site, b1 and b2 at the server's. */
  readonly routers: readonly FaultRouter[];
  readonly backend: Backend;
  /** On host a. Clients know both. */
  readonly ports: readonly number[];
  readonly network: RouterNetwork;
  /** The routers that this one has links to. */
  readonly peersOf: (router: FaultRouter) => readonly FaultRouter[];
}

/**
 * Two sites with two routers each, as for high availability: each router of the clients' site has a link to each of the server's site,
 * listens for clients at a port of its own, and each of the server's site reaches the server.
 */
export async function startTwoSites(lab: Lab, kind: RouterKind, settings: NetworkSettings = {}): Promise<TwoSites> {
  const backend = await Backend.start(lab, 'b');
  const plans: readonly RouterPlan[] = [
    ...['a1', 'a2'].map((name, index) => ({
      name,
      host: 'a',
      dials: ['b1', 'b2'],
      entities: [serviceListener('service', ports[index])],
    })),
    ...['b1', 'b2'].map((name) => ({ name, host: 'b', entities: [serviceConnector('service', backendPort)] })),
  ];
  const network = await RouterNetwork.start(lab, kind, plans, settings);
  const { routers } = network;
  const peersOf = (router: FaultRouter): FaultRouter[] => routers.filter(({ host }) => host !== router.host);
  await Promise.all(routers.map(async (router) => await router.uses(peersOf(router))));
  for (const port of ports) await waitUntilServed(lab, 'a', port);
  return { routers, backend, ports, network, peersOf };
}
