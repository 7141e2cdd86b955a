import type { Lab } from './lab.ts';
import { Backend, backendPort } from './load.ts';
import type { RouterKind } from './router-kind.ts';
import { RouterNetwork, serviceConnector, serviceListener } from './routers.ts';
import type { FaultRouter, NetworkSettings } from './routers.ts';
import { waitUntilServed } from './served.ts';

/** Port of the service at a. */
const port = 8000;

export interface Triangle {
  readonly a: FaultRouter;
  readonly b: FaultRouter;
  readonly c: FaultRouter;
  readonly backend: Backend;
  /** On host a, where clients connect to. */
  readonly port: number;
  readonly network: RouterNetwork;
}

/** Wires of a triangle, for `context.lab`. */
export const triangleWires: readonly (readonly [string, string])[] = [
  ['a', 'b'],
  ['a', 'c'],
  ['c', 'b'],
];

/** Three routers: clients at a reach the server at b by the link a-b (cost 1) or by c (cost 2). Waits until everything works. */
export async function startTriangle(lab: Lab, kind: RouterKind, settings: NetworkSettings = {}): Promise<Triangle> {
  const backend = await Backend.start(lab, 'b');
  const plans = [
    { name: 'a', dials: ['b', 'c'], entities: [serviceListener('service', port)] },
    { name: 'b', entities: [serviceConnector('service', backendPort)] },
    { name: 'c', dials: ['b'] },
  ];
  const network = await RouterNetwork.start(lab, kind, plans, settings);
  const [a, b, c] = ['a', 'b', 'c'].map((name) => network.router(name));
  await Promise.all([a.uses([b, c]), b.uses([a, c])]);
  await waitUntilServed(lab, 'a', port);
  return { a, b, c, backend, port, network };
}
