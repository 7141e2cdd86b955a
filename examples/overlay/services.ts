import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { Server } from 'node:net';
import { promisify } from 'node:util';
import { loadSocketCalls } from '../../src/kernel/netlink/socket-calls.ts';
import { pathOf } from '../../src/kernel/netlink/network-namespace.ts';
import { askDaemon } from '../../src/overlay-host/operator/operator-socket.ts';
import type { TraceReport } from '../../src/overlay/trace/trace-report.ts';
import type { DemoHost } from './host.ts';
import type { Pinger } from './ping.ts';
import type { Pod } from './pod.ts';
import { PodTcp } from './pod-tcp.ts';
import type { Results } from './results.ts';
import { within } from './within.ts';

/** What the demonstration has that this needs. */
export interface ServiceStage {
  readonly results: Results;
  readonly print: (line: string) => void;
  /** Of the tenant. */
  readonly vni: number;
  readonly host: (number: number) => DemoHost;
  readonly addLabelled: (labels: Readonly<Record<string, string>>, hostNumber: number, vpc: string, subnet: string) => Promise<Pod>;
  readonly remove: (pod: Pod) => Promise<void>;
  readonly pinger: (from: Pod, address: string) => Promise<Pinger>;
}

const run = promisify(execFile);
const vpc = 'red';
const serviceAddress = '10.0.0.253';
const servicePort = 80;
const podPort = 8080;
const requests = 60;
/** Of two back ends each has about half; a tenth is far off that. */
const leastShare = 0.1;
/** A change reaches all hosts; on a busy machine that takes a while. */
const changeTimeoutMs = 15_000;
const connectTimeoutMs = 1000;

/** A service with two back ends, and a policy, in one tenant's network. */
export class ServicesShown implements Disposable {
  readonly #stage: ServiceStage;
  readonly #tcp = new PodTcp(loadSocketCalls());
  readonly #servers: Server[] = [];

  constructor(stage: ServiceStage) {
    this.#stage = stage;
  }

  async show(): Promise<void> {
    const { print, addLabelled } = this.#stage;
    print('\nA service with two back ends');
    const client = await addLabelled({ app: 'client' }, 1, vpc, 'front');
    const backends = [await this.#serve(2, 'front'), await this.#serve(3, 'back')];
    await this.#service(client, backends);
    await this.#policy(client, backends);
    await this.#backendGone(client, backends);
  }

  [Symbol.dispose](): void {
    for (const server of this.#servers) server.close();
  }

  async #service(client: Pod, backends: readonly Pod[]): Promise<void> {
    const { results, pinger } = this.#stage;
    const startMs = performance.now();
    await this.#apply('OverlayService', 'web', {
      vpc,
      addresses: [serviceAddress],
      ports: [{ port: servicePort, targetPort: podPort }],
      selector: { app: 'web' },
    });
    const names = backends.map(({ name }) => name);
    const reached = await within(changeTimeoutMs, async () => names.includes(await this.#ask(client)));
    results.expect(
      'a service that is written at one host is reached',
      reached,
      reached ? `answered ${(performance.now() - startMs).toFixed(0)} ms after it was written` : 'no answer',
    );
    const answers = new Map<string, number>();
    for (let request = 0; request < requests; request++) {
      const name = await this.#ask(client);
      answers.set(name, (answers.get(name) ?? 0) + 1);
    }
    const shares = names.map((name) => (answers.get(name) ?? 0) / requests);
    const told = [...answers].map(([name, count]) => `${name === '' ? 'nobody' : name} ${count}`).join(', ');
    results.expect(
      `of ${requests} requests each back end answers its share, and none is lost`,
      shares.every((share) => share > leastShare) && !answers.has(''),
      told,
    );
    results.figure('serviceSharePercent', Math.min(...shares) * 100);
    const page = await this.#curl(client);
    results.expect('curl to the service', page === undefined || names.includes(page), page ?? 'there is no curl here');
    const ping = await pinger(client, serviceAddress);
    results.expect('ping to the service', await ping.reach(changeTimeoutMs), `median ${ping.medianRoundTripMs.toFixed(2)} ms`);
    await this.#trace(client);
  }

  /** What van overlay trace tells of a connection to the service. */
  async #trace(client: Pod): Promise<void> {
    const { results, host } = this.#stage;
    const {
      steps,
      outcome,
      host: end,
    } = (await askDaemon(host(2).operatorSocket, {
      ask: 'trace',
      vni: this.#stage.vni,
      source: client.address,
      destination: serviceAddress,
      protocol: 'tcp',
      sourcePort: 50_000,
      port: servicePort,
      bytes: 0,
    })) as TraceReport;
    const walk = steps.filter(({ of }) => of === 'packet').map(({ host: at, program, counted }) => `${at} ${program} ${counted.join('+')}`);
    const isTranslated = steps.some(({ counted }) => counted.includes('translated'));
    results.expect(
      'a trace, asked for at another host, tells the way',
      outcome === 'delivered' && isTranslated,
      `${walk.join(', ')}: ${outcome} at ${end}`,
    );
  }

  async #policy(client: Pod, backends: readonly Pod[]): Promise<void> {
    const { results, addLabelled } = this.#stage;
    const stranger = await addLabelled({ app: 'stranger' }, 1, vpc, 'back');
    const before = await this.#ask(stranger);
    await this.#apply('OverlayPolicy', 'web', {
      vpc,
      selector: { app: 'web' },
      ingress: [{ from: [{ selector: { app: 'client' } }], ports: [{ port: podPort }, { protocol: 'icmp' }] }],
    });
    const refused = await within(changeTimeoutMs, async () => (await this.#ask(stranger)) === '');
    const names = backends.map(({ name }) => name);
    results.expect(
      'a policy lets the client in and refuses another pod',
      names.includes(before) && refused && names.includes(await this.#ask(client)),
      `before it the other pod got an answer of ${before === '' ? 'nobody' : before}, with it ${refused ? 'none' : 'still one'}`,
    );
    await askDaemon(this.#stage.host(1).operatorSocket, { ask: 'delete', names: [{ kind: 'OverlayPolicy', name: 'web' }] });
    const back = await within(changeTimeoutMs, async () => names.includes(await this.#ask(stranger)));
    results.expect('without the policy that pod is answered again', back, back ? 'answered' : 'no answer');
  }

  async #backendGone(client: Pod, [gone, stays]: readonly Pod[]): Promise<void> {
    const { results, remove } = this.#stage;
    if (gone === undefined || stays === undefined) return;
    await remove(gone);
    const startMs = performance.now();
    const isAlone = async (): Promise<boolean> => {
      for (let request = 0; request < 10; request++) if ((await this.#ask(client)) !== stays.name) return false;
      return true;
    };
    const alone = await within(changeTimeoutMs, isAlone);
    results.figure('serviceDrainMs', performance.now() - startMs);
    results.expect('a back end that is deleted gets no more requests', alone, alone ? `all to ${stays.name}` : 'requests still fail');
  }

  /** A pod whose server says its name. */
  async #serve(hostNumber: number, subnet: string): Promise<Pod> {
    const pod = await this.#stage.addLabelled({ app: 'web' }, hostNumber, vpc, subnet);
    const http = createServer({ keepAlive: false }, (_, response) => response.end(pod.name));
    this.#servers.push(await this.#tcp.listen(pod.namespace, podPort, (socket) => http.emit('connection', socket)));
    return pod;
  }

  /** Which back end answers a request to the service; '' when none does. */
  async #ask(from: Pod): Promise<string> {
    try {
      const socket = await this.#tcp.connect(from.namespace, serviceAddress, servicePort, 0, connectTimeoutMs);
      socket.setTimeout(connectTimeoutMs, () => socket.destroy(new Error('no answer')));
      socket.write('GET / HTTP/1.0\r\n\r\n');
      let text = '';
      for await (const part of socket.setEncoding('utf8')) text += part;
      return text.slice(text.indexOf('\r\n\r\n') + 4);
    } catch {
      return '';
    }
  }

  /** The page as curl gets it; undefined when there is no curl. */
  async #curl(from: Pod): Promise<string | undefined> {
    const parameters = [`--net=${pathOf(from.namespace)}`, 'curl', '-s', '-m', '5', `http://${serviceAddress}/`];
    try {
      return (await run('nsenter', parameters)).stdout;
    } catch (error) {
      // nsenter found no program.
      return (error as { code?: unknown }).code === 127 ? undefined : '';
    }
  }

  async #apply(kind: string, name: string, spec: object): Promise<void> {
    const resources = [{ apiVersion: 'caravan.dev/v1alpha1', kind, metadata: { name }, spec }];
    await askDaemon(this.#stage.host(1).operatorSocket, { ask: 'apply', resources, isNew: false });
  }
}
