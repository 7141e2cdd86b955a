/**
 * What it costs to ask a site for the whole network: `node bench/micro/status.ts [--sites 1000] [--services 2000] [--rounds 20]`.
 *
 * A real site learns of the network over a real link, from one neighbour that invents it. Then, each as the median of the rounds in
 * milliseconds: `network` and `status` as the site's process spends it for one answer, line included; `draw` as the command spends it to
 * read the line and to draw it. `octets` are those of the line.
 */
import { webcrypto } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { silentLogger } from '../../src/base/log.ts';
import { formatNetwork } from '../../src/cli/network-status.ts';
import { processClock } from '../../src/host/process-clock.ts';
import { processRandom } from '../../src/host/process-random.ts';
import { formatResponse, parseResponse, type ManagementRequest } from '../../src/management/management-protocol.ts';
import { parseResources } from '../../src/site/resources.ts';
import { siteLayout } from '../../src/site/state-layout.ts';
import { ResourceFolder } from '../../src/supervisor/resource-folder.ts';
import { openSiteFolder } from '../../src/supervisor/site-folder.ts';
import { handleSiteRequest, type NetworkReport } from '../../src/supervisor/site-requests.ts';
import { SiteSupervisor } from '../../src/supervisor/site-supervisor.ts';
import { InventedNetwork } from './invented-network.ts';

const learnMs = 60_000;

const { values } = parseArgs({
  options: {
    sites: { type: 'string', default: '1000' },
    services: { type: 'string', default: '2000' },
    rounds: { type: 'string', default: '20' },
  },
});
const sites = Number(values.sites);
const services = Number(values.services);
const rounds = Number(values.rounds);

function median(times: readonly number[]): number {
  const sorted = [...times].sort((a, b) => a - b);
  return Math.round((sorted[sorted.length >> 1] ?? Number.NaN) * 100) / 100;
}

async function openSite(folder: string): Promise<SiteSupervisor> {
  const layout = siteLayout('bench', { XDG_DATA_HOME: folder }, { uid: 0, home: folder });
  await (await openSiteFolder(layout))[Symbol.asyncDispose]();
  const resources = parseResources('apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata: {name: bench}\nspec: {}\n', 'bench');
  await new ResourceFolder(layout.resourceFolder).change(resources.map((put) => ({ put })));
  const random = processRandom();
  return SiteSupervisor.open({
    namespace: 'bench',
    layout,
    clock: processClock,
    random,
    crypto: { subtle: webcrypto.subtle, random },
    log: silentLogger,
    version: '0.1.0',
    machine: { address: '127.0.0.1', names: ['localhost'] },
  });
}

const nobody = { send: (): boolean => true, endWith: (): void => undefined, closed: new AbortController().signal };

async function answer(site: SiteSupervisor, operation: string, request: Partial<ManagementRequest> = {}): Promise<string> {
  const whole = { id: 1, operation, type: '', attributes: new Map<string, unknown>(), ...request };
  return formatResponse(await handleSiteRequest({ supervisor: site, version: '0.1.0', stop: () => undefined }, whole, nobody));
}

const folder = await mkdtemp(join(tmpdir(), 'caravan-status-'));
try {
  await using site = await openSite(folder);
  const listener = { role: 'inter-router', host: '127.0.0.1', port: 0, saslMechanisms: 'ANONYMOUS', authenticatePeer: false };
  const made = parseResponse(
    await answer(site, 'CREATE', { type: 'listener', name: 'links', attributes: new Map(Object.entries(listener)) }),
  );
  if (made?.statusCode !== 201) throw new Error(`the listener was not made: ${made?.statusDescription}`);
  const { boundPort } = made.body as { boundPort: number };
  using _network = await InventedNetwork.start({ port: boundPort, routerId: site.routerId, sites, services });
  const endMs = performance.now() + learnMs;
  let view = site.network();
  while (view === undefined || view.sites.length < sites || view.services.length < Math.min(services, 2)) {
    if (performance.now() > endMs) throw new Error(`only ${view?.sites.length} of ${sites} sites are known`);
    await sleep(200);
    view = site.network();
  }
  await sleep(1000);
  const times: Record<string, number[]> = { network: [], status: [], draw: [] };
  let [octets, statusOctets] = [0, 0];
  for (let round = 0; round < rounds; round++) {
    let startMs = performance.now();
    const line = await answer(site, 'NETWORK');
    times['network']?.push(performance.now() - startMs);
    octets = Buffer.byteLength(line);
    startMs = performance.now();
    statusOctets = Buffer.byteLength(await answer(site, 'STATUS'));
    times['status']?.push(performance.now() - startMs);
    startMs = performance.now();
    const report = parseResponse(line)?.body as NetworkReport | null;
    if (report !== null) formatNetwork(report);
    times['draw']?.push(performance.now() - startMs);
    // Somebody else's turn, as it would be.
    await sleep(20);
  }
  const seen = site.network();
  console.table([
    {
      sites: seen?.sites.length,
      links: seen?.links.length,
      services: seen?.services.length,
      'network ms': median(times['network'] ?? []),
      'network octets': octets,
      'status ms': median(times['status'] ?? []),
      'status octets': statusOctets,
      'draw ms': median(times['draw'] ?? []),
    },
  ]);
} finally {
  await rm(folder, { recursive: true, force: true });
}
