/**
 * Tenants' networks on three hosts, made of network namespaces. See README.md in this folder.
 *
 * `node examples/overlay/main.ts [--check]`
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Demonstration } from './demonstration.ts';
import { obstacle } from './requirements.ts';

const usage = `Usage: npm run demo:overlay [-- --check]

  --check   prints one line of JSON at the end; exit code 1 when an expectation is missed
`;

/** What belongs to the overlay and is not shown here. */
const notShown: readonly string[] = [
  'ways out, DNS and peering of VPCs, endpoints that are joined to the application network: other tests have them',
  'pods by XDP or tcx in place of tc, IPv6 between the hosts, packets that are too long: other tests have them, or nothing yet',
  'bulk traffic beside a bridge and VXLAN: a matter of measurements',
  'hosts of more than one kernel: namespaces share locks, and two processors',
];
const timeoutMs = 180_000;
const project = fileURLToPath(new URL('../..', import.meta.url));

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { check: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } } });
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const print = (line: string): void => void process.stderr.write(`${line}\n`);
  const reason = obstacle(project);
  if (reason !== undefined) {
    print(`The demo of the overlay is skipped: ${reason}`);
    if (values.check) process.stdout.write(`${JSON.stringify({ skipped: reason })}\n`);
    return 0;
  }
  const folder = await mkdtemp(join(tmpdir(), 'caravan-overlay-'));
  const startMs = performance.now();
  const demonstration = new Demonstration({ folder, project, prefix: `cvn${process.pid}`, print });
  let failure: string | undefined;
  try {
    await Promise.race([demonstration.run(), timeout()]);
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
    print(`\nThe demo failed: ${failure}`);
  }
  const { results } = demonstration;
  const passed = failure === undefined && results.passed;
  if (!passed) print(demonstration.logs());
  await demonstration[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
  print(`\nNot shown: ${notShown.join('; ')}.`);
  const seconds = Math.round((performance.now() - startMs) / 100) / 10;
  const { expectations, figures } = results;
  if (values.check) process.stdout.write(`${JSON.stringify({ passed, failure, seconds, figures, expectations, notShown })}\n`);
  return passed ? 0 : 1;
}

async function timeout(): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  setTimeout(() => reject(new Error(`it takes longer than ${timeoutMs / 1000} s`)), timeoutMs).unref();
  return promise;
}

process.exit(await main());
