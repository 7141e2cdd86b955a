import { access, mkdir, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { writeFileAtomic } from '../host/atomic-file.ts';
import type { Call } from './call.ts';

/** A unit of the user's own systemd that runs a site. */
export interface SystemdUnit {
  readonly path: string;
  /** What to type for systemd to take it. */
  readonly commands: readonly string[];
}

/** Writes the unit. It is the user who tells systemd to start it. */
export async function writeUnit(call: Call): Promise<SystemdUnit> {
  const folder = unitFolder(call);
  const name = unitName(call.namespace);
  await mkdir(folder, { recursive: true });
  const path = join(folder, name);
  await writeFileAtomic(path, unitText(call), { mode: 0o644 });
  return { path, commands: [`systemctl --user daemon-reload`, `systemctl --user enable --now ${name}`] };
}

/** Removes the unit. Gives what to type for systemd to forget it; undefined when there was none. */
export async function removeUnit(call: Call): Promise<string | undefined> {
  const path = join(unitFolder(call), unitName(call.namespace));
  const exists = await access(path).then(
    () => true,
    () => false,
  );
  if (!exists) return undefined;
  await rm(path, { force: true });
  return `systemctl --user disable ${unitName(call.namespace)}; systemctl --user daemon-reload`;
}

function unitName(namespace: string): string {
  return `caravan-${namespace}.service`;
}

/** Folder of the user's own units, systemd.unit(5). */
function unitFolder(call: Call): string {
  const configHome = call.shell.environment['XDG_CONFIG_HOME'];
  return join(configHome?.startsWith('/') === true ? configHome : join(homedir(), '.config'), 'systemd/user');
}

/** Where the state is kept must be the same for the unit as for the commands that talk to its site. systemd sets XDG_RUNTIME_DIR itself. */
const kept = ['XDG_DATA_HOME', 'TMPDIR'];

function unitText(call: Call): string {
  const launcher = join(import.meta.dirname, '../../van');
  const environment = kept.flatMap((name) => {
    const value = call.shell.environment[name];
    return value === undefined ? [] : [`Environment=${quoted(`${name}=${value}`)}`];
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
    'WantedBy=default.target',
    '',
  ].join('\n');
}

/** As systemd.syntax(7) has it; a percent sign would begin a specifier. */
function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%').replaceAll('$', '$$$$')}"`;
}
