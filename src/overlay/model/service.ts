/**
 * Services: an address that stands for several endpoints. The client's host alone translates.
 *
 * ```text
 *   client ──to service──> departs: backend of the flow, or a new one ──to backend──> backend
 *   client <──from service── arrives: what the flow's answers are known by <──from backend── backend
 * ```
 */
import type { Reason } from '../layout/counter.ts';
import {
  backendFlag,
  backendSlots,
  serviceFlag,
  type Backend,
  type BackendKey,
  type BackendState,
  type Service,
  type ServiceKey,
} from '../layout/service.ts';
import { flowDirection, translationState, type FlowKey, type Translation } from '../layout/translation.ts';
import { formatAddress } from '../packet/address.ts';
import { ipProtocol } from '../packet/ipv4.ts';
import { sameOctets } from '../packet/octets.ts';
import { tcpFlag } from '../packet/tcp.ts';
import { flowHash } from './flow-port.ts';
import { isEchoRequest, isIcmp, opensConnection, quotedFlow, type Flow } from './flow.ts';
import { isUnspecified } from './ip.ts';
import { flowName } from './policy.ts';
import { rewrite, rewriteQuoted, type End } from './rewrite.ts';
import type { Run } from './run.ts';
import type { Tables } from './tables.ts';

const establishedNs = 7_200_000_000_000n;
const briefNs = 60_000_000_000n;
/** How many slots are tried when the answers of a backend to this client port belong to another flow already, and how far apart. */
const slotTries = 4;
const slotStep = 83;

/** What the maps of services hold. */
export interface ServiceTables {
  /** By `serviceName`. */
  readonly services: ReadonlyMap<string, Service>;
  /** By table id; each has `backendSlots` entries. */
  readonly backendTables: ReadonlyMap<number, readonly Backend[]>;
  /** By `backendName`. */
  readonly backends: ReadonlyMap<string, BackendState>;
  /** By `flowName`. */
  readonly translations: ReadonlyMap<string, Translation>;
}

export function serviceName({ vni, address, port, protocol }: ServiceKey): string {
  return [vni, formatAddress(address), port, protocol].join(' ');
}

export function backendName({ serviceId, address, port }: BackendKey): string {
  return [serviceId, formatAddress(address), port].join(' ');
}

/** A packet after services: as it is, another one, or refused. */
export type Served =
  | { readonly kind: 'none' }
  | { readonly kind: 'refused' }
  | { readonly kind: 'translated' | 'restored'; readonly frame: Uint8Array; readonly flow: Flow }
  | { readonly kind: 'drop'; readonly reason: Reason };

const nothing: Served = { kind: 'none' };
const refused: Served = { kind: 'refused' };

export function isServiceAddress(tables: Tables, vni: number, address: Uint8Array): boolean {
  return tables.services?.services.has(serviceName({ vni, address, port: 0, protocol: 0 })) ?? false;
}

/** A packet of a pod, perhaps to a service. The flow that comes back has the backend as destination, and always the pod as source. */
export function serviceDeparts(run: Run, frame: Uint8Array, flow: Flow): Served {
  const { tables } = run;
  if (!isServiceAddress(tables, run.vni, flow.destination)) return nothing;
  if (flow.isError) return errorDeparts(run, frame, flow);
  const { destination: address, destinationPort: port, protocol } = flow;
  const name = serviceName({ vni: run.vni, address, port, protocol });
  const service = isIcmp(flow) && !isEchoRequest(flow) ? undefined : tables.services?.services.get(name);
  if (service === undefined) return answersItself(run, frame, flow) ?? refused;
  const kept = keptBackend(run, flow, service);
  if (kept === 'refused') return refused;
  if (kept === undefined) {
    const own = answersItself(run, frame, flow);
    if (own !== undefined) return own;
  }
  const backend = kept ?? newBackend(run, flow, service);
  if (backend === undefined) return refused;
  keepFlow(run, flow, service, backend);
  const changed = frame.slice();
  if (sameOctets(backend.address, flow.source)) rewrite(changed, flow, 'source', { address: flow.destination, port: flow.sourcePort });
  rewrite(changed, flow, 'destination', backend);
  const destinationPort = isIcmp(flow) ? flow.destinationPort : backend.port;
  return { kind: 'translated', frame: changed, flow: { ...flow, destination: backend.address, destinationPort } };
}

/** A packet to a pod of this host, perhaps from a backend that the pod knows as a service. */
export function serviceArrives(run: Run, vni: number, frame: Uint8Array, flow: Flow): Served {
  if (flow.isError) return errorArrives(run, vni, frame, flow);
  const name = flowName({ ...directed(flow, flowDirection.answers), vni });
  const answers = run.translation(name);
  if (answers === undefined || isIdle(run, answers, flow.protocol)) return nothing;
  run.writeTranslation(name, { ...answers, usedNs: run.nowNs, state: answers.state | closing(flow) });
  const changed = frame.slice();
  rewrite(changed, flow, 'source', answers);
  return { kind: 'restored', frame: changed, flow };
}

function directed(flow: Flow, direction: number): Omit<FlowKey, 'vni'> {
  const { protocol, source, sourcePort, destination, destinationPort } = flow;
  return { protocol, direction, source, sourcePort, destination, destinationPort };
}

/** Under which name the answers of a backend come. Those of the client itself come to the service's address. */
function answersName(run: Run, flow: Flow, backend: End): string {
  const toItself = sameOctets(backend.address, flow.source);
  return flowName({
    vni: run.vni,
    protocol: flow.protocol,
    direction: flowDirection.answers,
    source: backend.address,
    sourcePort: isIcmp(flow) ? 0 : backend.port,
    destination: toItself ? flow.destination : flow.source,
    destinationPort: flow.sourcePort,
  });
}

function isIdle(run: Run, translation: Translation, protocol: number): boolean {
  const { acknowledged, closing: closes } = translationState;
  const lasts = protocol === ipProtocol.tcp && (translation.state & (acknowledged | closes)) === acknowledged;
  return run.nowNs > translation.usedNs + (lasts ? establishedNs : briefNs);
}

function closing(flow: Flow): number {
  return (flow.tcpFlags & (tcpFlag.fin | tcpFlag.rst)) === 0 ? 0 : translationState.closing;
}

/** Whether the answers belong to this flow: the client knows them by the service's address and port. */
function isOf(answers: Translation | undefined, flow: Flow): answers is Translation {
  return answers !== undefined && sameOctets(answers.address, flow.destination) && answers.port === flow.destinationPort;
}

function opens(flow: Flow): boolean {
  return flow.protocol !== ipProtocol.tcp || opensConnection(flow);
}

function isClosing(translation: Translation): boolean {
  return (translation.state & translationState.closing) !== 0;
}

function isCurrent(translation: Translation, service: Service): boolean {
  return translation.serviceId === service.serviceId && translation.generation === service.generation;
}

/** The backend that the flow has already; undefined when one is to be chosen. */
function keptBackend(run: Run, flow: Flow, service: Service): End | 'refused' | undefined {
  const name = flowName({ ...directed(flow, flowDirection.forward), vni: run.vni });
  const forward = run.translation(name);
  if (forward === undefined) return undefined;
  const nameOfAnswers = answersName(run, flow, forward);
  const answers = run.translation(nameOfAnswers);
  const own = isOf(answers, flow);
  const isTcp = flow.protocol === ipProtocol.tcp;
  if (isIdle(run, own ? answers : forward, flow.protocol)) return undefined;
  if (isTcp && opens(flow) && own && isClosing(answers)) return undefined;
  const begins = opens(flow);
  // A SYN that is sent again may find its backend draining, since its host is silent: it goes elsewhere.
  if (!isCurrent(forward, service) || (isTcp && begins)) {
    const { serviceId } = service;
    const flags = run.tables.services?.backends.get(backendName({ serviceId, address: forward.address, port: forward.port }))?.flags ?? 0;
    const good = (flags & backendFlag.ready) !== 0 || (!begins && (flags & backendFlag.draining) !== 0);
    if (!good) {
      if (own) run.writeTranslation(nameOfAnswers, undefined);
      run.writeTranslation(name, undefined);
      return begins ? undefined : 'refused';
    }
  }
  // A server that gets two connections of one client port would take them for one.
  if (isTcp && answers !== undefined && !own && !isIdle(run, answers, flow.protocol)) return 'refused';
  return { address: forward.address, port: forward.port };
}

/** The flow's slot, or the next one whose backend the client does not speak with from this port already. */
function newBackend(run: Run, flow: Flow, service: Service): End | undefined {
  if (service.backends === 0) return undefined;
  const table = run.tables.services?.backendTables.get(service.tableId);
  let slot = slotOf(flow, (service.flags & serviceFlag.affinity) !== 0);
  let backend: Backend | undefined;
  for (let tries = 0; tries < slotTries; tries++) {
    backend = table?.[slot];
    if (backend === undefined || isUnspecified(backend.address)) return undefined;
    const answers = run.translation(answersName(run, flow, backend));
    if (answers === undefined || isOf(answers, flow) || isIdle(run, answers, flow.protocol) || isClosing(answers)) return backend;
    slot = (slot + slotStep) % backendSlots;
  }
  return flow.protocol === ipProtocol.tcp ? undefined : backend;
}

/** The slot of a flow, or of all flows of its client's address. */
export function slotOf(
  flow: Pick<Flow, 'source' | 'destination' | 'protocol' | 'sourcePort' | 'destinationPort'>,
  affinity: boolean,
): number {
  const { source, destination, protocol, sourcePort, destinationPort } = flow;
  const ports = Uint8Array.of(sourcePort >>> 8, sourcePort, destinationPort >>> 8, destinationPort);
  return flowHash(affinity ? [source] : [source, destination, Uint8Array.of(protocol, 0, 0, 0), ports]) % backendSlots;
}

function keepFlow(run: Run, flow: Flow, { serviceId, generation }: Service, backend: End): void {
  const nameOfAnswers = answersName(run, flow, backend);
  const before = run.translation(nameOfAnswers);
  const goesOn = isOf(before, flow) && !isIdle(run, before, flow.protocol) && !(opens(flow) && isClosing(before));
  const hairpin = sameOctets(backend.address, flow.source) ? translationState.hairpin : 0;
  const acknowledged = (flow.tcpFlags & tcpFlag.ack) === 0 ? 0 : translationState.acknowledged;
  const common = { usedNs: run.nowNs, serviceId, generation };
  const state = (goesOn ? before.state : 0) | hairpin | acknowledged | closing(flow);
  run.writeTranslation(nameOfAnswers, { ...common, address: flow.destination, port: flow.destinationPort, state });
  const name = flowName({ ...directed(flow, flowDirection.forward), vni: run.vni });
  run.writeTranslation(name, { ...common, address: backend.address, port: backend.port, state: 0 });
}

/** A pod that is its own backend answers itself: the packet to the service's address becomes one from there, to the pod. */
function answersItself(run: Run, frame: Uint8Array, flow: Flow): Served | undefined {
  const name = flowName({ ...directed(flow, flowDirection.answers), vni: run.vni });
  const answers = run.translation(name);
  if (answers === undefined || (answers.state & translationState.hairpin) === 0 || isIdle(run, answers, flow.protocol)) return undefined;
  run.writeTranslation(name, { ...answers, usedNs: run.nowNs, state: answers.state | closing(flow) });
  const changed = frame.slice();
  rewrite(changed, flow, 'source', answers);
  rewrite(changed, flow, 'destination', { address: flow.source, port: flow.destinationPort });
  return { kind: 'restored', frame: changed, flow: { ...flow, destination: flow.source } };
}

/** An ICMP error of the client about an answer goes to the backend, and quotes what that one sent. */
function errorDeparts(run: Run, frame: Uint8Array, flow: Flow): Served {
  const noBackend: Served = { kind: 'drop', reason: 'noBackend' };
  const quoted = quotedOf(frame, flow);
  if (quoted === undefined || !sameOctets(quoted.source, flow.destination) || !sameOctets(quoted.destination, flow.source))
    return noBackend;
  const forward = run.translation(flowName({ ...directed(reversed(quoted), flowDirection.forward), vni: run.vni }));
  if (forward === undefined || sameOctets(forward.address, flow.source)) return noBackend;
  const changed = frame.slice();
  rewriteQuoted(changed, flow, quoted, 'source', forward);
  rewrite(changed, flow, 'destination', forward);
  return { kind: 'translated', frame: changed, flow: { ...flow, destination: forward.address } };
}

/** An ICMP error about a packet to a service quotes what the client sent, and comes from the service if it came from the backend. */
function errorArrives(run: Run, vni: number, frame: Uint8Array, flow: Flow): Served {
  const quoted = quotedOf(frame, flow);
  if (quoted === undefined || !sameOctets(quoted.source, flow.destination)) return nothing;
  const answers = run.translation(flowName({ ...directed(reversed(quoted), flowDirection.answers), vni }));
  if (answers === undefined || isIdle(run, answers, quoted.protocol)) return nothing;
  const changed = frame.slice();
  rewriteQuoted(changed, flow, quoted, 'destination', answers);
  if (sameOctets(flow.source, quoted.destination)) rewrite(changed, flow, 'source', answers);
  return { kind: 'restored', frame: changed, flow };
}

function quotedOf(frame: Uint8Array, error: Flow): Flow | undefined {
  const quoted = quotedFlow(frame, error);
  const sameFamily = quoted !== undefined && frame[quoted.l3Offset]! >>> 4 === frame[error.l3Offset]! >>> 4;
  return sameFamily && quoted.kind !== 'later' ? quoted : undefined;
}

function reversed(flow: Flow): Flow {
  const { source, sourcePort, destination, destinationPort } = flow;
  return { ...flow, source: destination, sourcePort: destinationPort, destination: source, destinationPort: sourcePort };
}
