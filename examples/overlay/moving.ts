import { setTimeout as sleep } from 'node:timers/promises';
import { askDaemon } from '../../src/overlay-host/operator/operator-socket.ts';
import { DatagramArrivals, DatagramStream } from './datagram-stream.ts';
import type { DemoHost } from './host.ts';
import type { Pinger } from './ping.ts';
import type { Pod } from './pod.ts';
import type { PodSockets } from './pod-socket.ts';
import type { Results } from './results.ts';

/** What the demonstration has that this needs. */
export interface MoveStage {
  readonly results: Results;
  readonly print: (line: string) => void;
  /** Of the tenant. */
  readonly vni: number;
  readonly host: (number: number) => DemoHost;
  readonly sockets: PodSockets;
  /** Adds a pod to the tenant's first subnet; `prepare` is called with its namespace before that. */
  readonly add: (hostNumber: number, addresses?: readonly string[], prepare?: (namespace: string) => Promise<void>) => Promise<Pod>;
  readonly remove: (pod: Pod) => Promise<void>;
  readonly pinger: (from: Pod, address: string) => Promise<Pinger>;
}

/** Pods move between these; a third host has a path to them. */
const oldHost = 2;
const newHost = 3;
const port = 7100;
const everyMs = 5;
const settledMs = 500;
/** How long the pod runs at both hosts. */
const overlapMs = 20;
/** Of what goes to the old place after the move. */
const aimMs = 1000;
const watchedMs = 1500;
const lookEveryMs = 20;
/**
 * What is lost on a machine that is slow and busy must be within bounds, too: what is measured is told as a figure. A stall of a second loses so
 * many.
 */
const lostLimit: number = 1000 / everyMs;
const stallLimitMs = 5000;

interface Moved {
  readonly to: Pod;
  /** From the answer to ADD at the new host until the last packet came to the old place, by stream; 0 when none has. */
  readonly staleMs: readonly number[];
  /** The same of packets that the old host sent back. */
  readonly sentBackMs: number;
  readonly lost: number;
}

/** Pods that move from host to host under traffic: what is lost, and how long packets still go to the old place. */
export class MovesShown implements Disposable {
  readonly #stage: MoveStage;
  readonly #streams: DatagramStream[] = [];
  readonly #arrivals: DatagramArrivals[] = [];

  constructor(stage: MoveStage) {
    this.#stage = stage;
  }

  [Symbol.dispose](): void {
    for (const stream of this.#streams) stream.close();
    for (const arrivals of this.#arrivals) arrivals.close();
  }

  /** `client` is at the third host. */
  async show(client: Pod): Promise<void> {
    const { print, results, add, pinger } = this.#stage;
    print('\nPods move to another host under traffic');
    const pod = await add(oldHost);
    const pings = await pinger(client, pod.address);
    await pings.reach(stallLimitMs);
    const streams = [
      await this.#stream(client, pod.address),
      await this.#stream(await add(oldHost), pod.address),
      await this.#stream(await add(newHost), pod.address),
    ];
    let moved: Moved;
    {
      using _traffic = pings.steadily(everyMs);
      const arrivals = await this.#arrivalsIn(pod.namespace);
      for (const stream of streams) stream.start(everyMs);
      await sleep(settledMs);
      moved = await this.#move(pod, arrivals, streams);
    }
    await pings.settle();

    // Its sender's host has no path: the first packets go by the owner, while the pod leaves.
    const fresh = await add(oldHost);
    const late = await this.#stream(client, fresh.address);
    const movedFresh = await this.#move(fresh, await this.#arrivalsIn(fresh.namespace), [late], () => late.start(everyMs));

    results.expect('a pod keeps its address', moved.to.address === pod.address, moved.to.address);
    const staleMs = { direct: moved.staleMs[0]!, oldHost: moved.staleMs[1]!, newHost: moved.staleMs[2]!, byOwner: movedFresh.staleMs[0]! };
    const sentBackMs = Math.max(moved.sentBackMs, movedFresh.sentBackMs);
    const longestMs = Math.max(sentBackMs, ...Object.values(staleMs));
    results.figure('moveStaleDirectMs', staleMs.direct);
    results.figure('moveStaleOldHostMs', staleMs.oldHost);
    results.figure('moveStaleNewHostMs', staleMs.newHost);
    results.figure('moveStaleByOwnerMs', staleMs.byOwner);
    results.figure('moveSentBackMs', sentBackMs);
    const said = [
      ['with a direct path', staleMs.direct],
      ['by the owner', staleMs.byOwner],
      ['at the old host', staleMs.oldHost],
      ['at the new host', staleMs.newHost],
      ['sent back', sentBackMs],
    ] as const;
    results.expect(
      'nothing goes to the old place a second after the move',
      longestMs <= aimMs,
      `the last one from a sender ${said.map(([who, ms]) => `${who} ${ms.toFixed(1)} ms`).join(', ')} after ADD (aim: ${aimMs} ms)`,
    );
    const lost = moved.lost + movedFresh.lost;
    results.figure('moveLost', pings.lost);
    results.figure('moveDatagramsLost', lost);
    results.figure('moveSilenceMs', pings.longestSilenceMs);
    results.expect(
      'a move loses next to nothing',
      pings.lost + lost <= lostLimit && pings.longestSilenceMs < stallLimitMs,
      `${pings.lost} of ${pings.sent} pings and ${lost} datagrams lost, longest silence ${pings.longestSilenceMs.toFixed(1)} ms`,
    );
  }

  /** The pod runs at both hosts for a moment. `leaving`: it is about to. */
  async #move(
    pod: Pod,
    before: DatagramArrivals,
    streams: readonly DatagramStream[],
    leaving: () => void = () => undefined,
  ): Promise<Moved> {
    const { host, add, remove, vni } = this.#stage;
    const sentBack = new LastChange(() => pod.host.counted(vni, 'sentBack'));
    leaving();
    const ticket = await askDaemon(pod.host.operatorSocket, { ask: 'moveOut', containerId: pod.name, ifname: 'eth0' });
    await askDaemon(host(newHost).operatorSocket, { ask: 'moveIn', ticket });
    const opened: DatagramArrivals[] = [];
    const to = await add(newHost, [pod.address], async (namespace) => {
      opened.push(await this.#arrivalsIn(namespace));
    });
    const endMs = performance.now();
    await sentBack.look();
    const watched = (async () => {
      for (; performance.now() < endMs + watchedMs; await sleep(lookEveryMs)) await sentBack.look();
    })();
    await sleep(overlapMs);
    await remove(pod);
    await watched;
    for (const stream of streams) stream.stop();
    await sleep(settledMs);
    const lost = streams.map((stream) => {
      const arrived = [before, ...opened].map((arrivals) => arrivals.numbers(stream));
      return stream.sent - new Set(arrived.flatMap((numbers) => [...numbers])).size;
    });
    return {
      to,
      staleMs: streams.map((stream) => Math.max(0, before.lastMs(stream) - endMs)),
      sentBackMs: Math.max(0, sentBack.atMs - endMs),
      lost: lost.reduce((sum, count) => sum + count, 0),
    };
  }

  async #stream(from: Pod, address: string): Promise<DatagramStream> {
    const stream = new DatagramStream(this.#streams.length, await this.#stage.sockets.openUdp(from.namespace, 0), address, port);
    this.#streams.push(stream);
    return stream;
  }

  async #arrivalsIn(namespace: string): Promise<DatagramArrivals> {
    const arrivals = new DatagramArrivals(await this.#stage.sockets.openUdp(namespace, port));
    this.#arrivals.push(arrivals);
    return arrivals;
  }
}

/** Sees when a number was another one than before. */
class LastChange {
  readonly #read: () => Promise<number>;
  #known: number | undefined;
  /** -Infinity as long as it is the same. */
  atMs = -Infinity;

  constructor(read: () => Promise<number>) {
    this.#read = read;
  }

  async look(): Promise<void> {
    const now = await this.#read();
    if (this.#known !== undefined && now !== this.#known) this.atMs = performance.now();
    this.#known = now;
  }
}
