import { isOwnTelemetry } from '../../src/base/telemetry-address.ts';

/** What a router says about the network on its management socket, as far as it is compared. */
export interface NodeRow {
  readonly id: string;
  readonly nextHop: string | null;
  readonly cost: number;
  readonly linkState: Readonly<Record<string, number>>;
}

export interface AddressRow {
  readonly name: string;
  readonly remoteRouters: readonly string[];
  readonly subscriberCount: number;
}

/** Every evil router's id and granted address begins like this. */
const isEvil = (name: string): boolean => name.startsWith('evil');

/** What an honest router believes, without what evil ones have a right to: that they are there, with addresses of their own. */
export function beliefOf(nodes: readonly NodeRow[], addresses: readonly AddressRow[]): string {
  const known = nodes
    .filter(({ id }) => !isEvil(id))
    .map(({ id, nextHop, cost, linkState }) => [
      id,
      nextHop,
      cost,
      Object.entries(linkState)
        .filter(([peer]) => !isEvil(peer))
        .sort(),
    ])
    .sort();
  const served = addresses
    // Who offers what records are asked for at is no belief about services: `flow-records.test.ts` is about those.
    .filter(({ name }) => !isEvil(name) && !isOwnTelemetry(name))
    .map(({ name, remoteRouters, subscriberCount }) => [name, remoteRouters, subscriberCount]);
  return JSON.stringify({ known, served }, undefined, 1);
}
