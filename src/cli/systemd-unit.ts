import { access, mkdir, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { writeFileAtomic } from '../host/atomic-file.ts';
import type { Call } from './call.ts';

/** A unit of systemd that runs a site: the user's own, or the host's for root. */
export interface SystemdUnit {
  readonly path: string;
  /** What to type for systemd to take it. */
  readonly commands: readonly string[];
}

/** Writes the unit. It is the user who tells systemd to start it. */
export async function writeUnit(call: Call): Promise<SystemdUnit> {
  const { folder, control, target } = placeOf(call);
  const name = unitName(call.namespace);
  await mkdir(folder, { recursive: true });
  const path = join(folder, name);
  await writeFileAtomic(path, unitText(call, target), { mode: 0o644 });
  return { path, commands: [`${control} daemon-reload`, `${control} enable --now ${name}`] };
}

/** Removes the unit. Gives what to type for systemd to forget it; undefined when there was none. */
export async function removeUnit(call: Call): Promise<string | undefined> {
  const { folder, control } = placeOf(call);
  const path = join(folder, unitName(call.namespace));
  const exists = await access(path).then(
    () => true,
    () => false,
  );
  if (!exists) return undefined;
  await rm(path, { force: true });
  return `${control} disable ${unitName(call.namespace)}; ${control} daemon-reload`;
}

function unitName(namespace: string): string {
  return `caravan-${namespace}.service`;
}

function placeOf(call: Call): { readonly folder: string; readonly control: string; readonly target: string } {
  if (process.getuid?.() === 0) return { folder: '/etc/systemd/system', control: 'systemctl', target: 'multi-user.target' };
  const configHome = call.shell.environment['XDG_CONFIG_HOME'];
  const base = configHome?.startsWith('/') === true ? configHome : join(homedir(), '.config');
  return { folder: join(base, 'systemd/user'), control: 'systemctl --user', target: 'default.target' };
}

/** Where the state is kept must be the same for the unit as for the commands that talk to its site. */
const kept = ['XDG_DATA_HOME', 'XDG_RUNTIME_DIR', 'TMPDIR'];

function unitText(call: Call, target: string): string {
  const launcher = join(import.meta.dirname, '../../van');
  const environment = kept.flatMap((name) => {
    const value = call.shell.environment[name];
    // systemd sets XDG_RUNTIME_DIR for units of users itself.
    if (value === undefined || (name === 'XDG_RUNTIME_DIR' && process.getuid?.() !== 0)) return [];
    return [`Environment=${quoted(`${name}=${value}`)}`];
  });
  return [
    '[Unit]',
    `Description=Caravan site of namespace ${call.namespace}`,
    'After=network-online.target',
    'Wants=network-online.target',
    '',
    '[Service]',
    `ExecStart=${quoted(launcher)} site run -n ${call.namespace}`,
    ...environment,
    'Restart=on-failure',
    'RestartSec=1',
    // Longer than the time that a site gives open connections.
    'TimeoutStopSec=30',
    '',
    '[Install]',
    `WantedBy=${target}`,
    '',
  ].join('\n');
}

/** As systemd.syntax(7) has it; a percent sign would begin a specifier. */
function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%').replaceAll('$', '$$$$')}"`;
}
