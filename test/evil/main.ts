import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { lineLogger } from '../../src/host/line-log.ts';
import { silentLogger } from '../../src/base/log.ts';
import { processClock } from '../../src/host/process-clock.ts';
import { processRandom } from '../../src/host/process-random.ts';
import { parseRouterConfiguration } from '../../src/management/router-configuration.ts';
import { openSigning } from '../../src/router/signing.ts';
import { attacks } from './attacks/all.ts';
import type { Attack } from './attack.ts';
import { EvilProcess } from './evil-process.ts';
import type { EvilRouter } from './evil-router.ts';

const help = `Usage: node test/evil/main.ts --config FILE [--attack NAME[,NAME...]] [options]

A compromised router of a network: it has the identity in FILE, the configuration of a router as van router takes it, links as its connectors
say, and attacks. A site's own configuration serves, and so does one written by hand. One JSON line for each attack says what came of it.

  --config FILE        identity and connectors
  --attack NAMES       attacks, one after the other; all without it
  --seconds N          the longest time for one attack (10)
  --idle N             first take part like any other for so many seconds (0)
  --wait-line          wait for a line on standard input before each attack, say {"done": ...} after it
  --unsigned           do not sign
  --container-id ID    the router id in OPEN
  --verbose            log on standard error
  --list               what there is
`;

/** Links may be refused, also before they are up: then what can be done is done. */
const linkTimeoutMs = 3_000;
const stepMs = 20;

interface Outcome {
  readonly attack: string;
  readonly expected: Attack['expected'];
  /** Messages that the attack sent, and links that came up for it. */
  readonly sent: number;
  readonly linksUp: number;
  /** From the attack's begin until a link was ended by the other side; null when none was. */
  readonly keptOutMs: number | null;
  readonly endings: readonly string[];
  readonly taken: number;
  readonly accepted: number;
  readonly replies: number;
}

async function perform(attack: Attack, evil: EvilRouter, limitMs: number): Promise<Outcome> {
  for (let waitedMs = 0; !evil.isLinked && waitedMs < linkTimeoutMs; waitedMs += stepMs) await sleep(stepMs);
  const { sent, linksUp, taken, accepted, replies } = evil;
  evil.endings.length = 0;
  const startMs = performance.now();
  let keptOutMs: number | null = null;
  const steps = attack.run(evil);
  for (let step = steps.next(); step.done !== true && performance.now() - startMs < limitMs; step = steps.next()) {
    for (const untilMs = performance.now() + step.value; performance.now() < untilMs;) {
      await sleep(Math.min(stepMs, Math.max(0, untilMs - performance.now())));
      if (evil.endings.length > 0) keptOutMs ??= Math.round(performance.now() - startMs);
    }
  }
  // What the last of it leads to.
  for (let waits = 0; waits < 25 && keptOutMs === null; waits++) {
    await sleep(stepMs);
    if (evil.endings.length > 0) keptOutMs = Math.round(performance.now() - startMs);
  }
  return {
    attack: attack.name,
    expected: attack.expected,
    sent: evil.sent - sent,
    linksUp: evil.linksUp - linksUp,
    keptOutMs,
    endings: [...new Set(evil.endings)],
    taken: evil.taken - taken,
    accepted: evil.accepted - accepted,
    replies: evil.replies - replies,
  };
}

/** Each resolves with the next line of standard input. */
function lines(): () => Promise<void> {
  let waiting: (() => void)[] = [];
  let come = 0;
  process.stdin.setEncoding('utf8').on('data', (text: string) => {
    come += text.split('\n').length - 1;
    const ready = waiting.splice(0, come);
    come -= ready.length;
    for (const resolve of ready) resolve();
  });
  process.stdin.on('end', () => process.exit(0));
  return async () => {
    if (come > 0) come--;
    else {
      await new Promise<void>((resolve) => {
        waiting = [...waiting, resolve];
      });
    }
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      config: { type: 'string' },
      attack: { type: 'string' },
      seconds: { type: 'string', default: '10' },
      idle: { type: 'string', default: '0' },
      'container-id': { type: 'string' },
      'wait-line': { type: 'boolean', default: false },
      unsigned: { type: 'boolean', default: false },
      verbose: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.list) {
    for (const { name, tries, expected } of attacks) console.log(`${name.padEnd(26)}${expected.padEnd(11)}${tries}`);
    return;
  }
  if (values.help || values.config === undefined) {
    console.log(help);
    return;
  }
  const names = values.attack?.split(',') ?? attacks.map(({ name }) => name);
  const chosen = names.map((name) => {
    const attack = attacks.find((candidate) => candidate.name === name);
    if (attack === undefined) throw new Error(`there is no attack ${name}: see --list`);
    return attack;
  });
  const configuration = parseRouterConfiguration(await readFile(values.config, 'utf8'), values.config);
  const log = values.verbose ? lineLogger((line) => console.error(line), 'debug', processClock.wallMs) : silentLogger;
  const entity = values.unsigned ? undefined : configuration.signing;
  await using signing = entity === undefined ? undefined : await openSigning(entity, { clock: processClock, random: processRandom(), log });
  const containerId = values['container-id'];
  await using running = await EvilProcess.open({ configuration, signing, log, ...(containerId === undefined ? {} : { containerId }) });
  const { evil } = running;
  await sleep(Number(values.idle) * 1000);
  const nextLine = values['wait-line'] ? lines() : async (): Promise<void> => {};
  console.error('the evil router is running');
  for (const attack of chosen) {
    if (attack.signs && signing === undefined) continue;
    await nextLine();
    console.log(JSON.stringify(await perform(attack, evil, Number(values.seconds) * 1000)));
  }
}

await main();
process.exit(0);
