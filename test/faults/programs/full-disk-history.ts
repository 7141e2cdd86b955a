import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { silentLogger } from '../../../src/base/log.ts';
import type { RequestRow } from '../../../src/flows/network-snapshot.ts';
import { History } from '../../../src/observer/history.ts';

/** Fills the disk that its argument lies on, sees what history does, and makes room again. */
const [, , folder = ''] = process.argv;
let atMs = 1_800_000_000_000;
let warnings = 0;
const clock = { nowMs: () => atMs, wallMs: () => atMs };
const log = { ...silentLogger, warn: () => void warnings++ };
const history = new History({ path: join(folder, 'history.db'), clock, log, retentionMs: 86_400_000, maxBytes: 64 * 1024 * 1024 });
const ballast = join(folder, 'ballast');
writeFileSync(ballast, Buffer.alloc(3_600_000));
const row = (id: string): RequestRow =>
  ({
    id,
    kind: 'request',
    startMs: atMs,
    address: 'web',
    path: 'x'.repeat(2000),
    sourceSite: 'west',
    destSite: null,
    method: 'GET',
    status: 200,
  }) as RequestRow;
for (let n = 0; n < 500; n++) history.addRow(row(`a:${n}`));
history.flush();
const full = history.state;
atMs += 11_000;
history.flush();
rmSync(ballast);
atMs += 11_000;
for (let n = 0; n < 450; n++) history.addRow(row(`a:${n}`));
history.flush();
const after = history.state;
const found = history.ask((found) => found).request('a:3') !== undefined;
process.stdout.write(
  JSON.stringify({ full: full.state, code: full.message?.includes('disk is full'), warnings, after: after.state, found }),
);
history[Symbol.dispose]();
