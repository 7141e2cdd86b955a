import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Authority } from '../../e2e/certificates.ts';
import { routerId, tcpConnector, tcpListener } from '../../e2e/network.ts';
import { freePort } from '../../e2e/ports.ts';
import { RouterProcess } from '../../e2e/router-process.ts';
import type { Entity } from '../../e2e/router-process.ts';
import { answering } from '../../e2e/tcp-peer.ts';
import type { ConnectionsAnswer, ConnectionsQuestion } from '../programs/many-connections.ts';
import { startProgram } from '../rig/own-program.ts';
import { percentile } from '../rig/percentile.ts';
import { routerKinds } from '../rig/router-kind.ts';
import type { RouterKind } from '../rig/router-kind.ts';
import type { Measured, PeerFigures, Row, RowContext } from '../row.ts';

const host = '127.0.0.1';
const perSecond = { caravan: 1000, 'skupper-router': 1000 };
/** How long connections come and go between two readings of memory, in seconds, and how many readings there are. */
const plan = { full: { phases: 10, seconds: 60 }, fast: { phases: 1, seconds: 15 } };
const peerPlan = { phases: 4, seconds: 15 };
/**
 * Then the routers rest, and memory is read: a heap in use grows by a hundred MiB before it is collected, which hides what stays. A router that
 * rests is collected within this time.
 */
const restMs = 8000;
/** A question to a program must be answered within half a minute: the churn goes in steps. */
const stepSeconds = 5;
const silent = { full: 5000, fast: 2000 };
const silentPerSecond = 2000;
/** How often a new router links during the attack. */
const newcomers = 3;
const mebibyte = 1_048_576;

interface Churn {
  readonly failed: number;
  readonly done: number;
  /** Growth of the memory of the router that grows most, over the second half, by minute with connections. */
  readonly mibPerMinute: number;
  /** What was read. */
  readonly restMiB: Readonly<Record<string, readonly number[]>>;
  readonly openFiles: number;
  /** How often the two routers lost each other meanwhile, and the service its port: on a busy machine connections fail by that. */
  readonly linkLosses: number;
  readonly portCloses: number;
  /** Longest time that a new router took from its start to its link while strangers held the port. */
  readonly linkMs: number;
}

function openFiles(router: RouterProcess): number {
  return readdirSync(`/proc/${router.processId}/fd`).length;
}

type Sample = readonly [minutes: number, mib: number];

/** Slope of the second half of the samples, by least squares: before, code is compiled and pools fill. */
function slope(samples: readonly Sample[]): number {
  const half = samples.slice((samples.length - 1) >> 1);
  const [meanX, meanY] = [0, 1].map((axis) => half.reduce((sum, sample) => sum + sample[axis], 0) / half.length);
  const over = half.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return over / half.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}

async function churn(context: RowContext, kind: RouterKind): Promise<Churn> {
  await using disposables = new AsyncDisposableStack();
  const authority = disposables.use(await Authority.make());
  const [echoPort, port, linkPort] = [await freePort(), await freePort(), await freePort()];
  const tls = { sslProfile: 'links', saslMechanisms: 'EXTERNAL' };
  const start = async (name: string, entities: readonly Entity[]): Promise<RouterProcess> => {
    const id = routerId(name);
    const profile = authority.profile(await authority.issue(id), kind.ownNetwork);
    return disposables.use(await RouterProcess.start({ id, entities: [profile, ...entities], command: kind.command, ready: kind.ready }));
  };
  const connector: Entity = ['connector', { name: 'up', role: 'inter-router', host: 'localhost', port: linkPort, ...tls }];
  const startProgramHere = async (file: string, parameters: readonly string[], ready: RegExp): ReturnType<typeof startProgram> => {
    const program = await startProgram(file, parameters, ready);
    disposables.defer(async () => void (await program.stop()));
    return program;
  };
  await startProgramHere('echo', [String(echoPort)], /listening/);
  const listener: Entity = ['listener', { name: 'incoming', role: 'inter-router', host, port: linkPort, ...tls, authenticatePeer: true }];
  const far = await start('far', [listener, tcpConnector('echo', echoPort, 'server')]);
  const near = await start('near', [connector, tcpListener('echo', port)]);
  await answering(port);
  const client = await startProgramHere('many-connections', [String(port)], /running/);
  const ask = async (question: ConnectionsQuestion): Promise<ConnectionsAnswer> => await client.ask<ConnectionsAnswer>(question);
  const { phases, seconds } = context.fast ? plan.fast : kind.name === 'caravan' ? plan.full : peerPlan;
  const come = async (): Promise<ConnectionsAnswer> => {
    let answer: ConnectionsAnswer = { open: 0, failed: 0, done: 0 };
    for (let spent = 0; spent < seconds; spent += stepSeconds) {
      context.signal.throwIfAborted();
      answer = await ask({ churn: stepSeconds, perSecond: perSecond[kind.name] });
    }
    await sleep(restMs);
    return answer;
  };
  let answer = await come();
  const filesBefore = openFiles(near) + openFiles(far);
  const resident = (minutes: number): void => {
    for (const [router, samples] of [[near, nearSamples] as const, [far, farSamples] as const]) {
      samples.push([minutes, router.residentBytes() / mebibyte]);
    }
    context.note(
      `after ${minutes} min: ${[nearSamples, farSamples].map((samples) => Math.round(samples.at(-1)?.[1] ?? 0)).join(' and ')} MiB`,
    );
  };
  const [nearSamples, farSamples]: [Sample[], Sample[]] = [[], []];
  resident(0);
  for (let phase = 1; phase <= phases; phase++) {
    answer = await come();
    resident((phase * seconds) / 60);
  }
  const filesAfter = openFiles(near) + openFiles(far);
  const count = (pattern: RegExp): number => [...near.log.matchAll(pattern)].length;
  const [linkLosses, portCloses] = [count(new RegExp(kind.left(routerId('far')), 'g')), count(/service port closed/g)];

  const strangers = await startProgramHere('many-connections', [String(linkPort)], /running/);
  const attack = strangers.ask<ConnectionsAnswer>({ open: context.fast ? silent.fast : silent.full, perSecond: silentPerSecond });
  await sleep(300);
  const linkMs: number[] = [];
  for (let newcomer = 0; newcomer < newcomers; newcomer++) {
    context.signal.throwIfAborted();
    const from = far.log.length;
    const name = `new${newcomer}`;
    await start(name, [connector]);
    const startedMs = performance.now();
    await far.logged(kind.uses(routerId(name)), 30_000, from);
    linkMs.push(performance.now() - startedMs);
  }
  await attack;
  return {
    failed: answer.failed,
    done: answer.done,
    mibPerMinute: Math.max(slope(nearSamples), slope(farSamples)),
    restMiB: { near: nearSamples.map(([, mib]) => Math.round(mib)), far: farSamples.map(([, mib]) => Math.round(mib)) },
    openFiles: filesAfter - filesBefore,
    linkLosses,
    portCloses,
    linkMs: percentile(linkMs, 100),
  };
}

async function run(context: RowContext): Promise<Measured> {
  const [own, ...others] = routerKinds(context.peers);
  const result = await churn(context, own);
  const peers: Record<string, PeerFigures> = {};
  for (const kind of others) {
    const theirs = await churn(context, kind).catch((error: Error) => error);
    peers[kind.name] =
      theirs instanceof Error
        ? { failed: theirs.message.split('\n')[0] }
        : {
            'connections failed': theirs.failed,
            'MiB a minute': Math.round(theirs.mibPerMinute * 10) / 10,
            'files left open': theirs.openFiles,
            'link ms': Math.round(theirs.linkMs),
          };
  }
  return {
    figures: [
      {
        name: 'growth of memory',
        value: Math.round(result.mibPerMinute * 100) / 100,
        unit: 'MiB/min',
        floor: 1,
        // Shortened, the growth of a young heap is all that can be seen.
        judged: !context.fast,
      },
      { name: 'files left open', value: result.openFiles, unit: '', floor: 8 },
      { name: 'connections that failed', value: result.failed, unit: '', floor: 0 },
      { name: 'slowest new link between silent strangers', value: Math.round(result.linkMs), unit: 'ms', floor: 5000, goal: 1000 },
    ],
    peers,
    detail: {
      connections: result.done,
      ...(context.fast ? plan.fast : plan.full),
      residentMiBAtRest: result.restMiB,
      linkLosses: result.linkLosses,
      portCloses: result.portCloses,
      silentSockets: context.fast ? silent.fast : silent.full,
    },
  };
}

export const connectionChurn: Row = {
  id: 'L2',
  title: '1,000 connections a second for 10 minutes; then 5,000 silent sockets at the link port while routers link',
  floor: 'memory and files do not grow (1 MiB/min)',
  goal: 'a router links within 1 s during the attack',
  fast: false,
  shortened: '15 s, 2,000 silent sockets',
  limitSeconds: { full: 1400, fast: 120 },
  missing: () => undefined,
  run,
};
