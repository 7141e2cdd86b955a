/**
 * Where the time goes: the functions with the most self time of CPU profiles written by `npm run bench -- --profile DIRECTORY`.
 * `node bench/profile.ts FILE.cpuprofile...`
 */
import { readFileSync } from 'node:fs';
import { basename, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const rowsShown = 30;
/** What V8 calls the time when nothing ran. */
const idle = '(idle)';

/** The part of V8's CPU profile that is used. */
interface CpuProfile {
  readonly nodes: readonly { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

function place(url: string, lineNumber: number): string {
  const file = url.startsWith('file://') ? relative(process.cwd(), fileURLToPath(url)) : url;
  return file === '' ? '' : `${file}:${lineNumber + 1}`;
}

/** Self time in milliseconds by function and place. */
function selfTimes(profile: CpuProfile): Map<string, number> {
  const microseconds = new Map<number, number>();
  for (const [index, id] of profile.samples.entries())
    microseconds.set(id, (microseconds.get(id) ?? 0) + profile.timeDeltas[index]);
  const times = new Map<string, number>();
  for (const { id, callFrame } of profile.nodes) {
    const name = `${callFrame.functionName || '(anonymous)'}  ${place(callFrame.url, callFrame.lineNumber)}`.trim();
    times.set(name, (times.get(name) ?? 0) + (microseconds.get(id) ?? 0) / 1000);
  }
  return times;
}

for (const file of process.argv.slice(2)) {
  const times = selfTimes(JSON.parse(readFileSync(file, 'utf8')) as CpuProfile);
  const busyMs = [...times].reduce((sum, [name, ms]) => (name === idle ? sum : sum + ms), 0);
  process.stdout.write(`${basename(file)}: ${(busyMs / 1000).toFixed(1)} s busy\n`);
  const sorted = [...times].filter(([name]) => name !== idle).sort((a, b) => b[1] - a[1]);
  for (const [name, ms] of sorted.slice(0, rowsShown)) process.stdout.write(`${((ms * 100) / busyMs).toFixed(1).padStart(6)} %  ${name}\n`);
}
