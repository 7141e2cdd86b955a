import { setTimeout as sleep } from 'node:timers/promises';

import type { NetworkSnapshot, ServiceRow } from '../../src/flows/network-snapshot.ts';
import type { ConsoleClient } from './console-client.ts';
import { windowLength } from './load.ts';
import type { PhaseResult } from './phases.ts';
import { linkCosts, serviceNames, siteNames } from './topology.ts';

/** Between what the load saw of 100 responses and what the console says of as many seconds: their ends are up to 2 s apart. */
const shareTolerance = 0.12;
/** Of responses a second, as a part. */
const rateTolerance = 0.2;

/** Routers tell what changed each second, and a new site takes a few seconds to be told of. */
const topologyTimeoutMs = 20_000;
const trafficTimeoutMs = 10_000;
const pollMs = 500;
/** Longest window that is asked for, when there were hardly any responses. */
const maxWindowSeconds = 60;

/** Waits until the console has the network that was set up; what it has differently when that takes too long. */
export function compareTopology(console: ConsoleClient, signal: AbortSignal): Promise<readonly string[]> {
  return untilSame(topologyTimeoutMs, signal, async () => topologyDifferences(await console.network(maxWindowSeconds)));
}

/** The same for what the load counted in a phase, which is still running. */
export function compareTraffic(console: ConsoleClient, result: PhaseResult, signal: AbortSignal): Promise<readonly string[]> {
  const windowSeconds = Math.min(maxWindowSeconds, Math.ceil(windowLength / Math.max(result.responsesPerSecond, 1)));
  return untilSame(trafficTimeoutMs, signal, async () => trafficDifferences(await console.network(windowSeconds), result));
}

async function untilSame(timeoutMs: number, signal: AbortSignal, compare: () => Promise<readonly string[]>): Promise<readonly string[]> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const differences = await compare();
    if (differences.length === 0 || performance.now() > deadlineMs) return differences;
    await sleep(pollMs, undefined, { signal });
  }
}

/** How the network in the console differs from the one that was set up; empty when it does not. */
export function topologyDifferences({ sites, links, services }: NetworkSnapshot): readonly string[] {
  const found = {
    sites: sites.map(({ name }) => name).sort(),
    links: links.map(({ fromName, toName, cost, state }) => `${fromName} to ${toName} ${cost} ${state}`).sort(),
    services: services.map(describeService).sort(),
  };
  const expected = {
    sites: [...siteNames].sort(),
    links: linkCosts.map(({ from, to, cost }) => `${from} to ${to} ${cost} up`).sort(),
    services: serviceNames.map((name) => `${name} listened at remote, served at aws, laptop`).sort(),
  };
  return (['sites', 'links', 'services'] as const)
    .filter((part) => found[part].join('; ') !== expected[part].join('; '))
    .map((part) => `${part}: the console has ${found[part].join('; ') || 'none'}, and there are ${expected[part].join('; ')}`);
}

function describeService({ address, listeners, servers }: ServiceRow): string {
  const names = (rows: readonly { readonly siteName: string }[]): string =>
    [...new Set(rows.map(({ siteName }) => siteName))].sort().join(', ');
  return `${address} listened at ${names(listeners)}, served at ${names(servers)}`;
}

/** Shares of the servers of a service, by site. */
export function sharesOf({ services }: NetworkSnapshot, service: string): ReadonlyMap<string, number> {
  const servers = services.find(({ address }) => address === service)?.servers ?? [];
  return new Map(servers.map(({ siteName, share }) => [siteName, share ?? 0]));
}

/** How shares and rate in the console differ from what the load counted in a phase; empty when they do not. */
export function trafficDifferences(network: NetworkSnapshot, result: PhaseResult): readonly string[] {
  const shown = sharesOf(network, result.service);
  const differences: string[] = [];
  for (const server of new Set([...shown.keys(), ...Object.keys(result.shares)])) {
    const [counted, told] = [result.shares[server] ?? 0, shown.get(server) ?? 0];
    if (Math.abs(counted - told) > shareTolerance) {
      differences.push(
        `${result.phase}, ${result.service}: ${percent(counted)} of the responses came from ${server}, the console says ${percent(told)}`,
      );
    }
  }
  const told = network.services.find(({ address }) => address === result.service)?.golden.perSecond ?? 0;
  if (Math.abs(told - result.responsesPerSecond) > rateTolerance * result.responsesPerSecond) {
    differences.push(
      `${result.phase}, ${result.service}: ${result.responsesPerSecond.toFixed(1)} responses/s, the console says ${told.toFixed(1)}`,
    );
  }
  return differences;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
