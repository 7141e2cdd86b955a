import { spawnSync } from 'node:child_process';
import { chmod } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../e2e/ports.ts';
import { until } from '../../e2e/until.ts';
import { VanSandbox } from '../../e2e/van-sandbox.ts';
import { EvilProgram } from '../../evil/evil-program.ts';
import type { AttackOutcome } from '../../evil/evil-program.ts';
import type { Measured, Row, RowContext } from '../row.ts';

const attackTimeoutMs = 30_000;
const timeoutMs = 30_000;
const honest = ['hub', 'far'];
/** The last makes up 200 addresses, of which the first few are told one by one. */
const chosen = ['beyond-consume', 'k6-management', 'k1-advertise'];
/** nobody of Debian and most others. */
const strangerId = 65_534;

interface AuditLine {
  readonly event: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly repeated?: number;
}

async function auditOf(sandbox: VanSandbox, name: string): Promise<AuditLine[]> {
  const text = await sandbox.done(`-n ${name} site audit -o json`);
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as AuditLine);
}

/** Files and sockets of the sites that another user of the machine can read or write, where the folders above them let everybody through. */
async function openToStrangers(sandbox: VanSandbox): Promise<readonly string[]> {
  for (const folder of ['', 'data', 'run', 'data/caravan', 'data/caravan/namespaces']) await chmod(join(sandbox.folder, folder), 0o755);
  const asStranger = ['--reuid', String(strangerId), '--regid', String(strangerId), '--clear-groups'];
  const search = ['find', sandbox.folder, '(', '-type', 'f', '-o', '-type', 's', ')', '(', '-readable', '-o', '-writable', ')', '-print'];
  const { stdout, error } = spawnSync('setpriv', [...asStranger, ...search], { encoding: 'utf8' });
  if (error !== undefined) throw error;
  return stdout.split('\n').filter((line) => line !== '');
}

async function run(context: RowContext): Promise<Measured> {
  await using owned = new AsyncDisposableStack();
  const sandbox = owned.use(await VanSandbox.make());
  const port = await freePort();
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.on('error', () => undefined).resume();
  }).listen(0, '127.0.0.1');
  owned.defer(() => void server.close());
  await sandbox.done(`-n hub site create hub --enable-link-access --link-access-host 127.0.0.1 --link-access-port ${port}`);
  await sandbox.done('-n far site create far');
  await sandbox.done('-n far token redeem - --wait none', { input: await sandbox.done('-n hub token issue -') });
  await sandbox.done(`-n far connector create service ${(server.address() as { port: number }).port} --wait none`);
  // A site like any other, with a narrow grant, is compromised: its identity is used by another program.
  await sandbox.done('-n evil site create evil');
  const token = await sandbox.done('-n hub token issue - --advertise evil.* --consume evil.*');
  await sandbox.done('-n evil token redeem - --wait none', { input: token });
  await until(
    'all three sites know each other and the service',
    async () =>
      (await sandbox.done('-n evil network status -o json')).includes('"far"') &&
      (await sandbox.done('-n hub service status')).includes('service'),
    timeoutMs,
  );
  await sandbox.done('-n evil site stop');
  context.note('attacking');
  const configuration = join(sandbox.folder, 'data/caravan/namespaces/evil/runtime/router/router.json');
  await using evil = await EvilProgram.start(['--config', configuration, '--attack', chosen.join(), '--seconds', '8', '--idle', '2']);
  const outcomes: AttackOutcome[] = [];
  for (const name of chosen) {
    context.signal.throwIfAborted();
    outcomes.push(await evil.attack(attackTimeoutMs));
    context.note(`${name}: ${JSON.stringify(outcomes.at(-1))}`);
  }
  await sleep(500);
  const audits = new Map(await Promise.all(honest.map(async (name) => [name, await auditOf(sandbox, name)] as const)));
  const hub = audits.get('hub') ?? [];
  const told = (event: string, fields: Readonly<Record<string, string>>): number =>
    hub.filter(
      (line) =>
        line.event === event &&
        Object.entries(fields).every(([key, value]) => line.fields[key] === value && (line.fields['router'] ?? '').startsWith('evil-')),
    ).length;
  // Each kind of attempt, and how often the hub's log has a line of it.
  const attempts: Record<string, number> = {
    'announces service': told('grantViolation', { right: 'advertise', address: 'service' }),
    'announces stolen-0': told('grantViolation', { right: 'advertise', address: 'stolen-0' }),
    'sends to service': told('grantViolation', { right: 'consume', address: 'service' }),
    'asks $management': told('deliveryRefused', { address: '$management', reason: 'management is no address of the network' }),
  };
  const inFarsName = hub.filter(
    ({ event, fields }) =>
      event === 'deliveryRefused' && fields['reason'] === 'cannot have come this way' && (fields['origin'] ?? '').startsWith('far-'),
  ).length;
  attempts["sends in far's name"] = inFarsName;
  const sum = (value: (outcome: AttackOutcome) => number): number => outcomes.reduce((total, outcome) => total + value(outcome), 0);
  const open = await openToStrangers(sandbox);
  return {
    figures: [
      {
        name: 'deliveries outside the grant',
        value: connections + sum(({ taken }) => taken) + sum(({ accepted }) => accepted),
        unit: '',
        floor: 0,
      },
      { name: 'answers of management', value: sum(({ replies }) => replies), unit: '', floor: 0 },
      { name: 'files and sockets open to another user of the machine', value: open.length, unit: '', floor: 0 },
      {
        name: 'kinds of attempts that are not in the audit log',
        value: Object.values(attempts).filter((lines) => lines === 0).length,
        unit: '',
        goal: 0,
      },
      {
        name: 'kinds of attempts that are in it more than once',
        value: Object.values(attempts).filter((lines) => lines > 1).length,
        unit: '',
        goal: 0,
      },
    ],
    detail: {
      attempts,
      open: open.slice(0, 20),
      sent: sum(({ sent }) => sent),
      auditLines: Object.fromEntries([...audits].map(([name, lines]) => [name, lines.length])),
    },
  };
}

export const hijack: Row = {
  id: 'S7',
  title: 'a site takes addresses and asks for management; another user of the machine looks around',
  floor: '0 deliveries outside the grant, 0 operations, nothing open to the other user',
  goal: 'the same, each attempt in the audit log once',
  fast: true,
  limitSeconds: { full: 120, fast: 60 },
  missing: () => (process.getuid?.() === 0 ? undefined : 'acting as another user needs root'),
  run,
};
