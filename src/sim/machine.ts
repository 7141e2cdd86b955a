import { Condition } from '../amqp/constants.ts';
import type { TreatmentRule } from '../forwarding/forwarder.ts';
import type { Logger } from '../base/log.ts';
import type { Neighbour, NeighbourHandler } from '../forwarding/neighbour.ts';
import type { ControlPlane } from '../router/control-plane.ts';
import type { RoutingOptions } from '../routing/engine.ts';
import type { RoutingEvent } from '../routing/events.ts';
import { Treatment } from '../routing/route-table.ts';
import type { SimulatedAuthority } from '../routing/simulated-trust.ts';
import type { RoutingTrust } from '../routing/trust.ts';
import { VirtualDisk } from './disk.ts';
import { treatmentPrefixes } from './plan.ts';
import type { PlannedGrant } from './plan.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { VirtualNetwork } from './virtual-network.ts';
import type { VirtualRouter } from './virtual-router.ts';

/** Wall-clock time at the beginning of every run: 2026-01-01. */
const firstWallMs = 1_767_225_600_000;
const epochFile = 'epoch';
/** The statements of issuers that it has accepted, as JSON: they are texts in a simulation. */
const statementsFile = 'statements';
/** Sequences that one millisecond leaves room for, as in the product's router. */
const sequencesPerMs = 1000;

/** What a machine is told and asked by its world. */
export interface MachineOptions {
  readonly network: VirtualNetwork;
  readonly number: number;
  readonly random: SeededRandom;
  /** Signs its link state with this authority's credentials; undefined = does not sign. */
  readonly authority: SimulatedAuthority | undefined;
  readonly grant: PlannedGrant;
  readonly requireSigned: boolean;
  /** Half of the nonces that its lives draw from, where another process has its identity; undefined = all. */
  readonly nonces: 'low' | 'high' | undefined;
  readonly log: (machine: Machine) => Logger;
  readonly observe: (machine: Machine, control: ControlPlane) => NeighbourHandler;
  /** A process has been started: offer its services, dial its links. */
  readonly started: (machine: Machine, process: VirtualRouter) => void;
  readonly stopped: (machine: Machine, process: VirtualRouter) => void;
  readonly routingEvent: (machine: Machine, event: RoutingEvent) => void;
}

/** A computer with a disk and a clock that runs a router's process, or does not. */
export class Machine {
  readonly number: number;
  readonly id: string;
  readonly disk: VirtualDisk = new VirtualDisk();
  readonly authority: SimulatedAuthority | undefined;
  readonly #options: MachineOptions;
  #process: VirtualRouter | undefined;
  #wallOffsetMs = 0;
  #starts = 0;
  #pauses = 0;
  #fencedProcess: VirtualRouter | undefined;
  #runningTrust: RoutingTrust | undefined;
  /** Whoever still sends on a connection of these learns from the machine's next life that it is gone. */
  readonly #oldProcesses: VirtualRouter[] = [];
  /** Epochs that its processes have used, in order. */
  readonly epochs: number[] = [];
  isOn = true;

  constructor(options: MachineOptions) {
    this.#options = options;
    this.number = options.number;
    this.id = `r${options.number}`;
    this.authority = options.authority;
  }

  get process(): VirtualRouter | undefined {
    return this.#process;
  }

  get starts(): number {
    return this.#starts;
  }

  get signs(): boolean {
    return this.authority !== undefined;
  }

  get nonces(): 'low' | 'high' | undefined {
    return this.#options.nonces;
  }

  /** Its process has given way to another one with its identity. */
  get isFenced(): boolean {
    return this.#process !== undefined && this.#fencedProcess === this.#process;
  }

  wallMs(): number {
    return firstWallMs + this.#options.network.nowMs + this.#wallOffsetMs;
  }

  jumpClock(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  start(): void {
    if (this.#process !== undefined) return;
    const { network, random, log, observe, started } = this.#options;
    this.isOn = true;
    this.#starts++;
    const own = random.split(`start ${this.#starts}`);
    const wallMs = this.wallMs();
    const process = network.start(this.id, {
      rule,
      random: own,
      log: log(this),
      wallMs: () => this.wallMs(),
      clockOffsetMs: own.below(1_000_000),
      observe: (control) => observe(this, control),
      onRoutingEvent: (event) => this.#routingEvent(event),
      routing: {
        instance: Math.floor(wallMs / 1000),
        sequenceStart: Math.floor(wallMs % 1000) * sequencesPerMs,
        ...this.#trust(own),
      },
    });
    this.#process = process;
    started(this, process);
  }

  #trust(random: SeededRandom): Partial<RoutingOptions> {
    const { authority } = this;
    if (authority === undefined) return {};
    const nonce = new Uint8Array(8);
    random.fill(nonce);
    const { grant, requireSigned, nonces } = this.#options;
    if (nonces !== undefined) nonce[0] = (nonce[0] & 0x7f) | (nonces === 'high' ? 0x80 : 0);
    const statements = this.#statements.map((text) => new TextEncoder().encode(text));
    const trust = authority.router({ routerId: this.id, ...grant, epoch: this.#nextEpoch(0), nonce, statements });
    this.#runningTrust = trust;
    return { trust, requireSigned };
  }

  // ---- revocations ----

  get #statements(): readonly string[] {
    return JSON.parse(this.disk.read(statementsFile) ?? '[]') as string[];
  }

  /** Whether it keeps a statement that revokes a router: then it has no links with that. */
  refuses(routerId: string | undefined): boolean {
    if (this.authority === undefined || routerId === undefined) return false;
    return this.#statements.includes(new TextDecoder().decode(this.authority.revocation(routerId)));
  }

  /** Its people revoke a router; false while it does not run. */
  revoke(routerId: string): boolean {
    const process = this.#process;
    if (this.authority === undefined || process === undefined) return false;
    const statement = this.authority.revocation(routerId);
    process.later(() => process.control.addStatement(statement));
    this.#keep(process, statement);
    return true;
  }

  /** As the product does with a statement that has come to hold: it is kept, everything is judged again, and links end. */
  #keep(process: VirtualRouter, statement: Uint8Array): void {
    const text = new TextDecoder().decode(statement);
    const kept = this.#statements;
    if (!kept.includes(text)) {
      this.disk.write(statementsFile, JSON.stringify([...kept, text]));
      this.disk.sync();
    }
    process.later(() => {
      this.#runningTrust?.statementOf(statement);
      process.control.trustChanged();
      // Before links end: so a neighbour that is revoked still gets the statement itself.
      process.control.transmit();
      for (const link of [...process.links]) {
        for (const end of [0, 1] as const) if (link.ends[end] === process) this.admit(link.connections[end].handler as Neighbour);
      }
    });
  }

  /** Ends the link of a router that is revoked. */
  admit(neighbour: Neighbour): void {
    if (!this.refuses(neighbour.provenRouterId)) return;
    neighbour.connection.close({ condition: Condition.unauthorizedAccess, description: 'this site was revoked' });
  }

  /** An epoch above all that have been used, durable before it is used. */
  #nextEpoch(above: number): number {
    const epoch = Math.max(Number(this.disk.read(epochFile) ?? '0'), above) + 1;
    this.disk.write(epochFile, `${epoch}`);
    this.disk.sync();
    this.epochs.push(epoch);
    return epoch;
  }

  #routingEvent(event: RoutingEvent): void {
    const process = this.#process;
    if (event.type === 'epochNeeded' && process !== undefined) {
      process.later(() => process.control.newEpoch(this.#nextEpoch(event.above)));
    }
    if (event.type === 'statementAccepted' && process !== undefined) this.#keep(process, event.bytes);
    if (event.type === 'fenced') this.#fencedProcess = process;
    this.#options.routingEvent(this, event);
  }

  /** The process dies. `silent`: with the whole machine, which loses what it had not synced and tells nobody. */
  crash(silent: boolean): void {
    const process = this.#process;
    if (silent) {
      this.disk.loseUnsynced();
      this.isOn = false;
    }
    if (process === undefined) return;
    this.#process = undefined;
    this.#pauses = 0;
    process.isAlive = false;
    process.isMachineOn = !silent;
    for (const link of [...process.links]) {
      for (const end of [0, 1] as const) {
        if (link.ends[end] !== process) continue;
        if (silent) link.endLost(end);
        else link.close(end);
      }
    }
    process.loseSockets();
    this.#options.stopped(this, process);
    if (silent) this.#oldProcesses.push(process);
  }

  /** Gets all that is on another machine's disk, and its clock, and starts. */
  startAsCopyOf(other: Machine): void {
    this.disk.copyFrom(other.disk);
    this.#wallOffsetMs = other.#wallOffsetMs;
    this.powerUp();
  }

  /** The machine has power again. */
  powerUp(): void {
    this.isOn = true;
    for (const process of this.#oldProcesses) process.isMachineOn = true;
    this.#oldProcesses.length = 0;
    this.start();
  }

  /** The process is stopped; as often as it was paused it must be resumed. */
  pause(): void {
    const process = this.#process;
    if (process === undefined) return;
    this.#pauses++;
    process.isPaused = true;
  }

  resume(process: VirtualRouter): void {
    if (this.#process !== process || this.#pauses === 0) return;
    this.#pauses--;
    if (this.#pauses === 0) process.isPaused = false;
  }

  resumeWholly(): void {
    this.#pauses = 0;
    if (this.#process !== undefined) this.#process.isPaused = false;
  }
}

const rule: TreatmentRule = (address) => {
  if (address.startsWith(treatmentPrefixes.multicast)) return { treatment: Treatment.multicastOnce, priority: undefined };
  if (address.startsWith(treatmentPrefixes.closest)) return { treatment: Treatment.closest, priority: undefined };
  return undefined;
};
