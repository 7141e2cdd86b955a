import { createServer } from 'node:net';
import { join } from 'node:path';
import { LinkProxy } from '../../e2e/link-proxy.ts';
import { freePort } from '../../e2e/ports.ts';
import { until } from '../../e2e/until.ts';
import { VanSandbox } from '../../e2e/van-sandbox.ts';
import { EvilProgram } from '../../evil/evil-program.ts';
import { siteClient } from '../../../src/supervisor/site-client.ts';
import type { NetworkReport } from '../../../src/supervisor/site-requests.ts';
import { monotonicMs } from '../rig/clock.ts';
import type { Measured, Row, RowContext } from '../row.ts';

/** Two issuers that each take links of half of the network, and one link between them. */
const halves: readonly (readonly string[])[] = [
  ['hub', 's1', 's2', 's3'],
  ['east', 's4', 's5'],
];
const badSite = 'bad';
const stolenName = 'bad-service';
const timeoutMs = 60_000;

interface Seen {
  readonly sites: string;
  readonly links: boolean;
  readonly addresses: boolean;
}

/** What a site sees of the bad one, by one question to its socket each. */
async function seenBy(sandbox: VanSandbox, name: string): Promise<Seen> {
  const client = siteClient(name, sandbox.environment);
  const { sites } = await client.request<NetworkReport>({ operation: 'NETWORK' });
  const query = async (type: string): Promise<string> => JSON.stringify(await client.request<unknown>({ operation: 'QUERY', type }));
  return {
    sites: sites
      .map((site) => site.name)
      .sort()
      .join(),
    links: (await query('connection')).includes(`"${badSite}-`),
    addresses: (await query('router.address')).includes(stolenName),
  };
}

/** Links a site to an issuer by a token, then over `through` in place of the issuer's own port. */
async function link(sandbox: VanSandbox, from: string, to: string, through: number, options = ''): Promise<void> {
  const token = await sandbox.done(`-n ${to} token issue -${options}`);
  await sandbox.done(`-n ${from} token redeem - --name to-${to} --wait none`, { input: token });
  const spec = `{endpoints: [{name: inter-router, host: 127.0.0.1, port: '${through}'}], cost: 1}`;
  await sandbox.done(`-n ${from} apply -f -`, {
    input: `apiVersion: skupper.io/v2alpha1\nkind: Link\nmetadata: {name: to-${to}}\nspec: ${spec}\n`,
  });
}

async function untilGone(sandbox: VanSandbox, names: readonly string[], what: string): Promise<void> {
  let last: Record<string, Seen> = {};
  await until(
    what,
    async () => {
      last = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await seenBy(sandbox, name)] as const)));
      return Object.values(last).every(({ sites, links, addresses }) => !sites.split(',').includes(badSite) && !links && !addresses);
    },
    timeoutMs,
    () => JSON.stringify(last),
  );
}

async function run(context: RowContext): Promise<Measured> {
  const honest = context.fast ? [['hub', 's1'], ['east']] : halves;
  const all = honest.flat();
  await using owned = new AsyncDisposableStack();
  const sandbox = owned.use(await VanSandbox.make());
  const ports = { hub: await freePort(), east: await freePort() };
  const toHub = owned.use(await LinkProxy.start(ports.hub));
  const toEast = owned.use(await LinkProxy.start(ports.east));
  for (const name of ['hub', 'east'] as const) {
    await sandbox.done(
      `-n ${name} site create ${name} --enable-link-access --link-access-host 127.0.0.1 --link-access-port ${ports[name]}`,
    );
  }
  await link(sandbox, 'east', 'hub', toHub.port, ' --issuer');
  for (const [issuer, ...others] of honest) {
    for (const name of others) {
      context.signal.throwIfAborted();
      await sandbox.done(`-n ${name} site create ${name}`);
      await link(sandbox, name, issuer, ports[issuer as keyof typeof ports]);
    }
  }
  // It is linked to both halves, and offers a service.
  const server = createServer().listen(0, '127.0.0.1');
  owned.defer(() => void server.close());
  await sandbox.done(`-n ${badSite} site create ${badSite}`);
  await link(sandbox, badSite, 'hub', ports.hub);
  await link(sandbox, badSite, 'east', toEast.port);
  await sandbox.done(
    `-n ${badSite} connector create ${stolenName} ${(server.address() as { port: number }).port} --host 127.0.0.1 --wait none`,
  );
  const everybody = [...all, badSite].sort().join();
  const settled = async (): Promise<boolean> =>
    (await Promise.all(all.map(async (name) => await seenBy(sandbox, name)))).every(
      ({ sites, addresses }) => sites === everybody && addresses,
    );
  await until('all sites see each other', settled, timeoutMs);

  // The other half is away. First the half that hears of it at once.
  toHub.cut(true);
  toEast.cut(true);
  const near = honest[0];
  await until('the halves are apart', async () => !(await seenBy(sandbox, 'hub')).sites.includes('east'), timeoutMs);
  context.note('revoking');
  const startMs = monotonicMs();
  await sandbox.done(`-n hub site revoke ${badSite} --reason stolen`);
  const commandMs = monotonicMs() - startMs;
  await untilGone(sandbox, near, 'the bad site is gone');
  const goneMs = Math.round(monotonicMs() - startMs);

  // The other half, still with the bad site, comes back.
  toEast.restore();
  await until('the other half has the bad site', async () => (await seenBy(sandbox, 'east')).sites.includes(badSite), timeoutMs);
  const healMs = monotonicMs();
  toHub.restore();
  await until('the halves meet', async () => (await seenBy(sandbox, 'east')).sites.includes('hub'), timeoutMs);
  const metMs = monotonicMs();
  await untilGone(sandbox, all, 'the bad site is gone everywhere');
  const healedMs = Math.round(monotonicMs() - metMs);

  // All start again, the bad one too, which now runs a program of its own on the old state and dials both issuers.
  context.note('starting again');
  for (const name of [...all, badSite]) await sandbox.done(`-n ${name} site stop`);
  for (const name of all) await sandbox.done(`-n ${name} site start`);
  const configuration = join(sandbox.folder, 'data/caravan/namespaces', badSite, 'runtime/router/router.json');
  await using evil = await EvilProgram.start(['--config', configuration, '--attack', 'k2-unsigned', '--seconds', '5']);
  let back = 0;
  const outcome = await evil.attack(timeoutMs, async () => {
    for (const name of all) {
      const seen = await seenBy(sandbox, name);
      if (seen.addresses || seen.sites.split(',').includes(badSite)) back++;
    }
  });
  // By its own command it cannot come back, either: it is told why, and its certificates are not renewed.
  await evil[Symbol.asyncDispose]();
  await sandbox.done(`-n ${badSite} site start`);
  await until(
    'it is told that it was revoked',
    async () => (await sandbox.done(`-n ${badSite} site status -o json`)).includes('revoked by'),
    timeoutMs,
  ).catch(() => back++);
  await untilGone(sandbox, all, 'the bad site stays away');
  return {
    figures: [
      { name: 'links and addresses of the revoked site gone after', value: goneMs, unit: 'ms', floor: 30_000, goal: 5000 },
      { name: 'in a half that was away, after it has met the other', value: healedMs, unit: 'ms', floor: 30_000, goal: 5000 },
      { name: 'seen again after a restart of all', value: back, unit: 'times', floor: 0 },
    ],
    detail: {
      sites: all.length + 1,
      commandMs: Math.round(commandMs),
      untilHalvesMetMs: Math.round(metMs - healMs),
      refusals: outcome.endings,
    },
  };
}

export const revokedSite: Row = {
  id: 'S6',
  title: 'one of eight sites is revoked',
  floor: 'all its links cut in ≤ 30 s',
  goal: '≤ 5 s everywhere, also after a restart and in a half that was away',
  fast: true,
  limitSeconds: { full: 300, fast: 60 },
  missing: () => undefined,
  run,
};
