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

/** What an honest router believes, without what the evil one has a right to: that it is there, with addresses of its own. */
export function beliefOf(nodes: readonly NodeRow[], addresses: readonly AddressRow[], evilId: string, evilPrefix: string): string {
  const known = nodes
    .filter(({ id }) => id !== evilId)
    .map(({ id, nextHop, cost, linkState }) => [
      id,
      nextHop,
      cost,
      Object.entries(linkState)
        .filter(([peer]) => peer !== evilId)
        .sort(),
    ])
    .sort();
  const served = addresses
    .filter(({ name }) => !name.startsWith(evilPrefix))
    .map(({ name, remoteRouters, subscriberCount }) => [name, remoteRouters, subscriberCount]);
  return JSON.stringify({ known, served }, undefined, 1);
}
