import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Authority } from '../../e2e/certificates.ts';
import { routerId } from '../../e2e/network.ts';
import type { Entity } from '../../e2e/router-process.ts';
import { manage } from './management.ts';
import type { Lab } from './lab.ts';
import type { Program, ProcessEnd } from './program.ts';
import type { RouterKind } from './router-kind.ts';

/** Link ports: the first router of a host has this one, the next the one after it. */
const firstLinkPort = 5671;

export interface Dial {
  readonly to: string;
  /** 1 when absent. */
  readonly cost?: number;
  /** Where to connect to in place of the router's link port: a shaper before it. */
  readonly via?: { readonly host: string; readonly port: number };
}

export interface RouterPlan {
  readonly name: string;
  /** The host it runs on; its name when absent. */
  readonly host?: string;
  /** Other routers that it connects to. */
  readonly dials?: readonly (string | Dial)[];
  /** Its services, as entities of its configuration. */
  readonly entities?: readonly Entity[];
}

export interface NetworkSettings {
  /** Attributes of every router entity: timers, as a rule. */
  readonly router?: Readonly<Record<string, string | number>>;
  /** Further entities of every router. */
  readonly entities?: (plan: RouterPlan, folder: string) => Promise<readonly Entity[]>;
  /** False: Caravan routers do not sign their routing messages, either. */
  readonly sign?: boolean;
  /** When the certificates begin to hold; they do for a day. Now, when absent. */
  readonly certificatesFromMs?: number;
  /** Further environment of a router's process. */
  readonly environment?: (plan: RouterPlan) => Readonly<Record<string, string>>;
  /** Further parameters of `van router`. */
  readonly parameters?: readonly string[];
}

/** One router that can be stopped and started again. */
export class FaultRouter {
  readonly name: string;
  readonly id: string;
  readonly host: string;
  readonly kind: RouterKind;
  /** Its configuration and whatever it keeps. */
  readonly folder: string;
  readonly #lab: Lab;
  readonly #parameters: readonly string[];
  readonly #environment: Readonly<Record<string, string>>;
  #program: Program | undefined;

  constructor(lab: Lab, kind: RouterKind, plan: RouterPlan, folder: string, settings: NetworkSettings) {
    this.name = plan.name;
    this.id = routerId(plan.name);
    this.host = plan.host ?? plan.name;
    this.kind = kind;
    this.folder = folder;
    this.#lab = lab;
    this.#parameters = settings.parameters ?? [];
    this.#environment = settings.environment?.(plan) ?? {};
  }

  get configurationFile(): string {
    return join(this.folder, 'router.json');
  }

  /** Runs a copy of this router on another host, from `folder`, with its configuration changed by `change`. It ends with the lab. */
  async cloneTo(host: string, folder: string, change: (configuration: string) => string): Promise<FaultRouter> {
    const plan = { name: this.name, host };
    const settings = { parameters: this.#parameters, environment: (): Readonly<Record<string, string>> => this.#environment };
    const clone = new FaultRouter(this.#lab, this.kind, plan, folder, settings);
    await writeFile(clone.configurationFile, change(await readFile(this.configurationFile, 'utf8')));
    await clone.start();
    return clone;
  }

  get #socket(): string {
    return join(this.folder, 'management.sock');
  }

  /** Asks a Caravan router's management socket and gives the body of the answer. */
  async manage<T>(operation: string, type: string, more: Readonly<Record<string, unknown>> = {}): Promise<T> {
    return await manage<T>(this.#socket, { operation, type, ...more });
  }

  /** The process of its latest run. */
  get program(): Program {
    if (this.#program === undefined) throw new Error(`router ${this.name} has not been started`);
    return this.#program;
  }

  /** Starts it and waits until it says that it runs. */
  async start(environment: Readonly<Record<string, string>> = {}): Promise<void> {
    const own = ['--management-socket', this.#socket, ...this.#parameters];
    const command = [...this.kind.command, this.configurationFile, ...(this.kind.name === 'caravan' ? own : [])];
    this.#program = this.#lab.start(this.host, `${this.kind.name} ${this.name}`, command, {
      environment: { ...this.#environment, ...environment },
    });
    await this.#program.logged(this.kind.ready);
  }

  /** Waits until it uses a link to each of the routers. */
  async uses(peers: readonly FaultRouter[], sinceMs = 0, timeoutMs = 20_000): Promise<void> {
    await Promise.all(peers.map(async ({ id }) => await this.program.logged(this.kind.uses(id), { sinceMs, timeoutMs })));
  }

  /** SIGKILL. */
  async kill(): Promise<ProcessEnd> {
    return await this.program.kill();
  }

  /** SIGTERM, with time to drain. */
  async stop(graceMs = 60_000): Promise<ProcessEnd> {
    return await this.program.stop(graceMs);
  }
}

/** Routers with mutual TLS on all links, as processes on the hosts of a lab. They end with the lab. */
export class RouterNetwork {
  readonly authority: Authority;
  readonly #routers: ReadonlyMap<string, FaultRouter>;

  private constructor(authority: Authority, routers: ReadonlyMap<string, FaultRouter>) {
    this.authority = authority;
    this.#routers = routers;
  }

  /** Writes the configurations and starts all routers; waits until they run, not for their links. */
  static async start(lab: Lab, kind: RouterKind, plans: readonly RouterPlan[], settings: NetworkSettings = {}): Promise<RouterNetwork> {
    const authority = await Authority.make(lab.folder);
    const routers = new Map<string, FaultRouter>();
    for (const plan of plans) {
      const folder = join(lab.folder, plan.name);
      await mkdir(folder, { recursive: true });
      const router = new FaultRouter(lab, kind, plan, folder, settings);
      const entities: Entity[] = [
        ['router', { id: router.id, mode: 'interior', ...settings.router }],
        authority.profile(await authority.issue(router.id, { startMs: settings.certificatesFromMs ?? Date.now() }), kind.ownNetwork),
        ...(kind.ownNetwork && settings.sign !== false ? [await authority.signing(router.id, folder)] : []),
        ...linkEntities(lab, plans, plan),
        ...((await settings.entities?.(plan, folder)) ?? []),
        ...(plan.entities ?? []),
      ];
      await writeFile(router.configurationFile, JSON.stringify(entities, undefined, 2));
      routers.set(plan.name, router);
    }
    const network = new RouterNetwork(authority, routers);
    await Promise.all(network.routers.map(async (router) => await router.start()));
    return network;
  }

  router(name: string): FaultRouter {
    const router = this.#routers.get(name);
    if (router === undefined) throw new Error(`there is no router ${name}`);
    return router;
  }

  get routers(): readonly FaultRouter[] {
    return [...this.#routers.values()];
  }
}

/** The port on which the router `name` accepts links: routers of one host have different ones. */
export function linkPort(plans: readonly RouterPlan[], name: string): number {
  const plan = plans.find((candidate) => candidate.name === name);
  if (plan === undefined) throw new Error(`there is no router ${name}`);
  return firstLinkPort + plans.filter((other) => (other.host ?? other.name) === (plan.host ?? plan.name)).indexOf(plan);
}

function linkEntities(lab: Lab, plans: readonly RouterPlan[], plan: RouterPlan): Entity[] {
  const tls = { role: 'inter-router', sslProfile: 'links', saslMechanisms: 'EXTERNAL' };
  const host = plan.host ?? plan.name;
  const port = linkPort(plans, plan.name);
  const entities: Entity[] = [['listener', { name: 'incoming', host: '0.0.0.0', port, authenticatePeer: true, ...tls }]];
  for (const dial of plan.dials ?? []) {
    const { to, cost = 1, via }: Dial = typeof dial === 'string' ? { to: dial } : dial;
    const toHost = plans.find(({ name }) => name === to)?.host ?? to;
    const end = via ?? { host: toHost === host ? '127.0.0.1' : lab.address(toHost, host), port: linkPort(plans, to) };
    // The addresses of the hosts are in no certificate.
    entities.push(['connector', { name: to, ...end, cost, verifyHostname: false, ...tls }]);
  }
  return entities;
}

/** A service port on all addresses of its host. */
export function serviceListener(address: string, port: number): Entity {
  return ['tcpListener', { name: `${address}-${port}`, address, host: '0.0.0.0', port }];
}

/** A server on the router's own host, unless told otherwise. */
export function serviceConnector(address: string, port: number, host = '127.0.0.1'): Entity {
  return ['tcpConnector', { name: `${address}-${host}-${port}`, address, host, port }];
}
