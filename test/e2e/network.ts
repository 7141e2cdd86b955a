import { Authority } from './certificates.ts';
import { freePort } from './ports.ts';
import { RouterProcess } from './router-process.ts';
import type { Entity, RouterOptions } from './router-process.ts';

const host = '127.0.0.1';

export interface Edge {
  /** Who dials. */
  readonly from: string;
  readonly to: string;
  readonly cost?: number;
}

export interface NetworkOptions {
  readonly links: readonly Edge[];
  /** Entities of each router beside its links: services, as a rule. */
  readonly entities: Readonly<Record<string, readonly Entity[]>>;
  /** Mutual TLS on all links. */
  readonly tls?: boolean;
  readonly parameters?: readonly string[];
  /** Those that run as skupper-router instead of Caravan. */
  readonly skupper?: readonly string[];
}

/** Runs skupper-router with a configuration file, which says so in its log. */
const skupperRouter: Pick<RouterOptions, 'command' | 'ready'> = { command: ['skrouterd', '-c'], ready: /Router started/ };

/** Routers as processes, with the links between them. Names are short; a router's id is its name and eight digits. */
export class Network implements AsyncDisposable {
  readonly #routers: Map<string, RouterProcess>;
  readonly #authority: Authority | undefined;

  private constructor(routers: Map<string, RouterProcess>, authority: Authority | undefined) {
    this.#routers = routers;
    this.#authority = authority;
  }

  static async start(options: NetworkOptions): Promise<Network> {
    const authority = options.tls === true ? await Authority.make() : undefined;
    const routers = new Map<string, RouterProcess>();
    const network = new Network(routers, authority);
    try {
      const ports = new Map<string, number>();
      for (const { to } of options.links) if (!ports.has(to)) ports.set(to, await freePort());
      // A link is retried when its far end is not there yet: all may start at once.
      await Promise.all(
        Object.keys(options.entities).map(async (name) => {
          const id = routerId(name);
          const secure = authority === undefined ? { saslMechanisms: 'ANONYMOUS' } : { sslProfile: 'links', saslMechanisms: 'EXTERNAL' };
          const isSkupper = options.skupper?.includes(name) === true;
          const entities: Entity[] = authority === undefined ? [] : [authority.profile(await authority.issue(id), !isSkupper)];
          const port = ports.get(name);
          const verified = { authenticatePeer: authority !== undefined };
          if (port !== undefined)
            entities.push(['listener', { name: 'incoming', role: 'inter-router', host, port, ...secure, ...verified }]);
          for (const { from, to, cost = 1 } of options.links) {
            if (from !== name) continue;
            // By name: skupper-router compares the host with the certificate's DNS names only.
            entities.push(['connector', { name: to, role: 'inter-router', host: 'localhost', port: ports.get(to) ?? 0, cost, ...secure }]);
          }
          entities.push(...(options.entities[name] ?? []));
          const kind = isSkupper ? skupperRouter : { parameters: options.parameters ?? [] };
          routers.set(name, await RouterProcess.start({ id, entities, ...kind }));
        }),
      );
    } catch (error) {
      await network[Symbol.asyncDispose]();
      throw error;
    }
    return network;
  }

  router(name: string): RouterProcess {
    const router = this.#routers.get(name);
    if (router === undefined) throw new Error(`there is no router ${name}`);
    return router;
  }

  get routers(): readonly RouterProcess[] {
    return [...this.#routers.values()];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.routers.map((router) => router[Symbol.asyncDispose]()));
    await this.#authority?.[Symbol.asyncDispose]();
  }
}

/** The id of the router `name`: as in certificates, its site's name and eight letters or digits. */
export function routerId(name: string): string {
  return `${name}-00000000`;
}

/** Links of routers in a line, each dialled by the left one. */
export function line(names: readonly string[]): Edge[] {
  return names.slice(1).map((to, index) => ({ from: names[index], to }));
}

export function tcpListener(address: string, port: number): Entity {
  return ['tcpListener', { name: address, address, host, port }];
}

export function tcpConnector(address: string, port: number, name = address): Entity {
  return ['tcpConnector', { name, address, host, port }];
}
