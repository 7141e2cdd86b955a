import type { Connection } from '../amqp/connection.ts';
import { silentLogger } from '../base/log.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { TreatmentRule } from '../forwarding/forwarder.ts';
import type { NeighbourHandler } from '../forwarding/neighbour.ts';
import { ControlPlane } from '../router/control-plane.ts';
import type { RoutingOptions } from '../routing/engine.ts';
import type { RoutingEvent } from '../routing/events.ts';
import { TcpConnector } from '../services/tcp/connector.ts';
import { TcpListener } from '../services/tcp/listener.ts';
import type { VirtualNetwork } from './virtual-network.ts';
import { VirtualNode } from './virtual-node.ts';
import { VirtualSocket } from './virtual-socket.ts';
import type { Application } from './virtual-socket.ts';

/** What a virtual router is given; tests take the defaults. */
export interface VirtualRouterOptions {
  readonly rule?: TreatmentRule;
  readonly random?: Random;
  readonly log?: Logger;
  /** Wall-clock time of this machine. */
  readonly wallMs?: () => number;
  readonly clockOffsetMs?: number;
  readonly routing?: Partial<RoutingOptions>;
  readonly onRoutingEvent?: (event: RoutingEvent) => void;
  /** Stands between the connections and the control plane, to watch. */
  readonly observe?: (control: ControlPlane) => NeighbourHandler;
  /** The certificate's proof of a peer's router id, as far as it has one. */
  readonly provenRouterId?: (connection: Connection) => string | undefined;
}

/** A router without sockets: the product's control plane, data plane and services over pipes in memory. */
export class VirtualRouter extends VirtualNode {
  readonly control: ControlPlane;
  readonly neighbourHandler: NeighbourHandler;
  readonly random: Random;
  readonly #listeners: TcpListener[] = [];
  readonly #sockets = new Set<VirtualSocket>();

  constructor(network: VirtualNetwork, id: string, options: VirtualRouterOptions = {}) {
    super(network);
    this.clockOffsetMs = options.clockOffsetMs ?? 0;
    this.random = options.random ?? network.random;
    const wallMs = options.wallMs ?? ((): number => network.nowMs);
    this.control = new ControlPlane({
      routing: { routerId: id, instance: Math.floor(wallMs() / 1000), ...options.routing },
      rule: options.rule ?? ((): undefined => undefined),
      clock: { nowMs: () => this.nowMs(), wallMs },
      random: this.random,
      log: options.log ?? silentLogger,
      ...(options.onRoutingEvent === undefined ? {} : { onRoutingEvent: options.onRoutingEvent }),
      wake: () => this.touch(),
    });
    this.neighbourHandler = options.observe?.(this.control) ?? this.control;
    this.touch();
  }

  get id(): string {
    return this.control.routerId;
  }

  override endOfTurn(): void {
    if (this.control.isDirty && this.control.drive()) for (const listener of this.#listeners) listener.routesChanged();
    super.endOfTurn();
  }

  override ownDeadlineMs(): number {
    return this.control.isDirty ? Infinity : this.control.nextDeadlineMs();
  }

  override handleTimeout(): void {
    this.control.handleTimeout();
  }

  /** The process is gone: its applications see their connections reset. */
  loseSockets(): void {
    for (const socket of [...this.#sockets]) socket.lose();
    this.#sockets.clear();
  }

  /** Work of this router, at the end of which there is an end of turn. */
  readonly later = (work: () => void): void => {
    this.after(0, () => {
      work();
      this.touch();
    });
  };

  // ---- services ----

  listener(address: string): TcpListener {
    const { forwarder } = this.control;
    let flow = 0;
    const listener: TcpListener = new TcpListener(
      forwarder,
      () => (forwarder.reachable(address) ? address : undefined),
      () => `flow:${flow++}`,
      { nowMs: () => this.nowMs(), wallMs: () => this.nowMs() },
      (dueMs) =>
        this.after(Math.max(0, dueMs - this.nowMs()), () => {
          listener.retryDue();
          this.touch();
        }),
      silentLogger,
    );
    this.#listeners.push(listener);
    return listener;
  }

  #socket(): VirtualSocket {
    const socket = new VirtualSocket(this.later);
    this.#sockets.add(socket);
    socket.forget = (): void => void this.#sockets.delete(socket);
    return socket;
  }

  /** A client that connects to the listener. */
  connect(listener: TcpListener, prepare?: (application: Application) => void): Application {
    const socket = this.#socket();
    prepare?.(socket.application);
    listener.accept(socket);
    this.touch();
    return socket.application;
  }

  /** Offers a server: `serve` gets each connection; without it the server refuses them. */
  serve(address: string, serve?: (application: Application) => void): TcpConnector {
    const connector = new TcpConnector(
      this.control.forwarder,
      (connected, failed) => {
        let given = true;
        this.later(() => {
          if (!given) return;
          if (serve === undefined) {
            failed(new Error('connect ECONNREFUSED'));
            return;
          }
          const socket = this.#socket();
          serve(socket.application);
          connected(socket);
        });
        return () => {
          given = false;
        };
      },
      silentLogger,
    );
    this.control.forwarder.addConsumer(address, connector);
    return connector;
  }
}
