import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FullDisk, LoadedState } from '../programs/state-writer.ts';
import { Program, run as runCommand } from '../rig/program.ts';
import type { Measured, Row, RowContext } from '../row.ts';

const writer = join(import.meta.dirname, '../programs/state-writer.ts');
const kills = { full: 1000, fast: 10 };
/** A kill comes at a moment within this time after writing has begun. */
const windowMs = 60;
/** A store keeps a thousand tokens: a new one is begun in time. */
const killsPerStore = 25;

interface Kills {
  readonly unreadable: string[];
  readonly otherIdentity: number;
  readonly overused: number;
}

/** Kills a process that writes state at random moments; the state must load each time. */
async function killWriters(context: RowContext, folder: string, count: number): Promise<Kills> {
  const unreadable: string[] = [];
  let [otherIdentity, overused] = [0, 0];
  let routerId: string | undefined;
  for (let kill = 0; kill < count; kill++) {
    context.signal.throwIfAborted();
    const site = join(folder, `store-${Math.floor(kill / killsPerStore)}`);
    if (kill % killsPerStore === 0) {
      await mkdir(site);
      routerId = undefined;
    }
    const program = new Program('state-writer', [process.execPath, writer, 'write', site]);
    await program.logged(/writing/);
    await sleep(Math.random() * windowMs);
    await program.kill();
    try {
      const state = JSON.parse(await runCommand([process.execPath, writer, 'load', site])) as LoadedState;
      if (routerId !== undefined && state.routerId !== routerId) otherIdentity++;
      routerId = state.routerId;
      overused += state.overused;
    } catch (error) {
      unreadable.push((error as Error).message.slice(0, 300));
    }
  }
  return { unreadable, otherIdentity, overused };
}

/** A disk of 1 MiB in a mount namespace of its own, which ends with the process. */
async function fillDisk(folder: string): Promise<FullDisk> {
  const disk = join(folder, 'disk');
  await mkdir(disk);
  const script = 'mount -t tmpfs -o size=1m tmpfs "$1" && exec "$2" "$3" full "$1" "$4"';
  const command = ['unshare', '--mount', 'sh', '-c', script, 'sh', disk, process.execPath, writer, join(folder, 'joiner')];
  return JSON.parse(await runCommand(command, '', 60_000)) as FullDisk;
}

async function run(context: RowContext): Promise<Measured> {
  const folder = await mkdtemp(join(tmpdir(), 'caravan-state-'));
  try {
    const count = context.fast ? kills.fast : kills.full;
    const full = await fillDisk(folder);
    const killed = await killWriters(context, folder, count);
    return {
      figures: [
        { name: 'states that do not load after a kill', value: killed.unreadable.length, unit: '', floor: 0 },
        { name: 'states with another identity or too many uses', value: killed.otherIdentity + killed.overused, unit: '', floor: 0 },
        { name: 'redemptions answered without being on record', value: full.admittedUnrecorded, unit: '', floor: 0 },
        { name: 'operations that do not say that the disk is full', value: full.wrong.length, unit: '', goal: 0 },
        { name: 'operations that fail after there is room again', value: full.stuck.length, unit: '', goal: 0 },
      ],
      detail: { kills: count, unreadable: killed.unreadable, ...full },
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export const stateOnDisk: Row = {
  id: 'L4',
  title: 'State on a full disk, and SIGKILL while it is written',
  floor: 'it always loads, as it was before or after',
  goal: 'redemption fails closed; everything heals without a restart',
  fast: true,
  shortened: '10 kills',
  limitSeconds: { full: 1500, fast: 60 },
  missing: () =>
    process.getuid?.() !== 0 || spawnSync('unshare', ['--version']).error !== undefined
      ? 'a disk of its own needs root and unshare (util-linux)'
      : undefined,
  run,
};
