import { until } from '../../e2e/until.ts';
import { monotonicMs } from './clock.ts';
import type { FaultRouter } from './routers.ts';

/** Next hop by target, ids of routers; a neighbour is its own next hop. What cannot be reached is not there. */
export type NextHops = ReadonlyMap<string, string>;

/** What a router believes now: asked of Caravan, read from the latest line of a skupper-router's log. */
export async function nextHopsOf(router: FaultRouter): Promise<NextHops> {
  if (router.kind.name === 'caravan') {
    const { results } = await router.manage<{ results: { id: string; nextHop: string | null }[] }>('QUERY', 'router.node');
    return new Map(results.filter(({ id }) => id !== router.id).map(({ id, nextHop }) => [id, nextHop ?? id]));
  }
  const line = router.program.findAll(/Computed next hops/).at(-1);
  return new Map([...(line?.text ?? '').matchAll(/'([^']+)': '([^']+)'/g)].map(([, target, hop]) => [target, hop]));
}

/** Links of equal cost between routers, by name. */
export type Graph = readonly (readonly [string, string])[];

function neighboursOf(graph: Graph, name: string): string[] {
  return graph.filter((edge) => edge.includes(name)).map(([left, right]) => (left === name ? right : left));
}

/** Hops to every router that can be reached from `from`. */
function distances(graph: Graph, from: string): Map<string, number> {
  const found = new Map([[from, 0]]);
  for (const [name, distance] of found) for (const next of neighboursOf(graph, name)) if (!found.has(next)) found.set(next, distance + 1);
  return found;
}

/** What is wrong with what a router believes: targets missed, targets that cannot be reached, next hops on no shortest way. */
export function mistakes(graph: Graph, routers: readonly FaultRouter[], router: FaultRouter, believed: NextHops): string[] {
  const wrong: string[] = [];
  const reachable = distances(graph, router.name);
  for (const target of routers) {
    if (target === router) continue;
    const hop = believed.get(target.id);
    const distance = reachable.get(target.name);
    if (distance === undefined) {
      if (hop !== undefined) wrong.push(`${router.name} still has a way to ${target.name}`);
      continue;
    }
    const via = routers.find(({ id }) => id === hop)?.name;
    if (via === undefined) wrong.push(`${router.name} has no way to ${target.name}`);
    else if (!neighboursOf(graph, router.name).includes(via) || distances(graph, via).get(target.name) !== distance - 1)
      wrong.push(`${router.name} goes to ${target.name} by ${via}`);
  }
  return wrong;
}

async function allMistakes(graph: Graph, routers: readonly FaultRouter[]): Promise<string[]> {
  const found = await Promise.all(routers.map(async (router) => mistakes(graph, routers, router, await nextHopsOf(router))));
  return found.flat();
}

/** What a Caravan router knows of the links of all: with a wrong next hop it tells whether the map is wrong or the way through it. */
async function knownLinks(router: FaultRouter): Promise<string> {
  if (router.kind.name !== 'caravan') return router.program.tail(5);
  type Node = { readonly id: string; readonly cost: number; readonly linkState: Readonly<Record<string, number>> };
  const { results } = await router.manage<{ results: Node[] }>('QUERY', 'router.node');
  return `${router.name} knows ${results.map(({ id, cost, linkState }) => `${id} at ${cost}: ${JSON.stringify(linkState)}`).join('; ')}`;
}

/** Routers that agree stay that way for this long before it is believed. */
const settledMs = 1000;

/** Time from `sinceMs` until all routers have right next hops for `graph`, and keep them. Throws after `timeoutMs` with what is wrong. */
export async function converged(graph: Graph, routers: readonly FaultRouter[], sinceMs: number, timeoutMs: number): Promise<number> {
  let rightFromMs: number | undefined;
  let last: string[] = [];
  try {
    await until(
      'all routers have right next hops',
      async () => {
        last = await allMistakes(graph, routers);
        if (last.length > 0) rightFromMs = undefined;
        else rightFromMs ??= monotonicMs();
        return rightFromMs !== undefined && monotonicMs() - rightFromMs >= settledMs;
      },
      timeoutMs,
    );
  } catch (error) {
    const states = await Promise.all(routers.filter(({ name }) => last.some((text) => text.startsWith(`${name} `))).map(knownLinks));
    throw new Error(`${(error as Error).message}\n${[...last.slice(0, 10), ...states].join('\n')}`, { cause: error });
  }
  return (rightFromMs ?? Infinity) - sinceMs;
}
