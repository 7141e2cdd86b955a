import type { KnownRecord, NetworkModel } from '../flows/network-model.ts';
import { Attribute, RecordType } from '../flows/record-types.ts';
import { baseFields, identity, number, serviceId, text, textOrNull, unknown, type Place } from './skupper-fields.ts';
import { deviseId } from './skupper-identities.ts';
import { SkupperProcesses, type ProcessPlace } from './skupper-processes.ts';
import type { SkupperRecord } from './skupper-query.ts';

/** What `/api/v2alpha1` needs of the model. */
export type SkupperSource = Pick<NetworkModel, 'records' | 'series'>;

const nowhere: Place = { id: '', name: '' };

/** The network as records with the fields of Skupper's network observer. Made for one question; keeps what it has found out meanwhile. */
export class SkupperRecords {
  readonly #source: SkupperSource;
  readonly #startMs: number;
  readonly #sites = new Map<string, Place>();
  /** Sites and routers by router id. */
  readonly #siteOfRouter = new Map<string, Place>();
  readonly #routerNames = new Map<string, string>();
  readonly #processes: SkupperProcesses;
  /** Identities of routers' records by router id. */
  readonly #routerIdentities = new Map<string, string>();
  readonly #pairIds = new Map<string, string>();

  /** `startMs` is when observing began: the start of what has none of its own. */
  constructor(source: SkupperSource, startMs: number) {
    this.#source = source;
    this.#startMs = startMs;
    this.#processes = new SkupperProcesses(
      source,
      (record) => this.#siteOf(record),
      (id) => this.#sites.get(id),
    );
    for (const site of source.records(RecordType.site))
      this.#sites.set(identity(site), { id: identity(site), name: text(site, Attribute.name, site.place.name) });
    for (const router of source.records(RecordType.router)) {
      const id = text(router, Attribute.parent, router.place.routerId);
      const site = this.#sites.get(id) ?? { id, name: router.place.name };
      this.#siteOfRouter.set(router.place.routerId, site);
      this.#routerIdentities.set(router.place.routerId, identity(router));
      this.#routerNames.set(router.place.routerId, text(router, Attribute.name, router.place.routerId));
      this.#routerNames.set(identity(router), text(router, Attribute.name, router.place.routerId));
    }
  }

  sites(): SkupperRecord[] {
    const routers = new Map<string, number>();
    for (const router of this.#source.records(RecordType.router)) {
      const site = text(router, Attribute.parent, '');
      routers.set(site, (routers.get(site) ?? 0) + 1);
    }
    return [...this.#source.records(RecordType.site)].map((site) => ({
      ...baseFields(site),
      provider: text(site, Attribute.provider, unknown),
      platform: platformOf(text(site, Attribute.platform, unknown)),
      name: text(site, Attribute.name, unknown),
      namespace: textOrNull(site, Attribute.namespace),
      version: text(site, Attribute.buildVersion, unknown),
      policy: unknown,
      routerCount: routers.get(identity(site)) ?? 0,
    }));
  }

  routers(): SkupperRecord[] {
    return [...this.#source.records(RecordType.router)].map((router) => ({
      ...baseFields(router),
      siteId: text(router, Attribute.parent, unknown),
      name: text(router, Attribute.name, unknown),
      mode: text(router, Attribute.mode, unknown),
      namespace: textOrNull(router, Attribute.namespace),
      imageName: text(router, Attribute.imageName, unknown),
      imageVersion: text(router, Attribute.imageVersion, unknown),
      hostName: text(router, Attribute.hostname, unknown),
      buildVersion: text(router, Attribute.buildVersion, unknown),
    }));
  }

  listeners(): SkupperRecord[] {
    return [...this.#source.records(RecordType.listener)].map((listener) => ({ ...baseFields(listener), ...this.#port(listener) }));
  }

  connectors(): SkupperRecord[] {
    return [...this.#source.records(RecordType.connector)].map((connector) => {
      const process = this.#processes.ofConnector(connector);
      return { ...baseFields(connector), ...this.#port(connector), processId: process.id, target: process.name };
    });
  }

  #port(record: KnownRecord): Record<string, unknown> {
    const site = this.#siteOf(record);
    const routingKey = text(record, Attribute.vanAddress, unknown);
    const protocol = text(record, Attribute.protocol, unknown);
    return {
      routerId: text(record, Attribute.parent, unknown),
      name: text(record, Attribute.name, unknown),
      destHost: text(record, Attribute.destHost, unknown),
      destPort: text(record, Attribute.destPort, unknown),
      protocol,
      routingKey,
      serviceId: serviceId(routingKey, protocol),
      siteId: site.id,
      siteName: site.name,
    };
  }

  services(): SkupperRecord[] {
    const found = new Map<string, { name: string; protocol: string; startTime: number; listeners: number; connectors: number }>();
    const add = (record: KnownRecord, kind: 'listeners' | 'connectors'): void => {
      const name = text(record, Attribute.vanAddress, '');
      if (name === '') return;
      const protocol = text(record, Attribute.protocol, unknown);
      const id = serviceId(name, protocol);
      const { startTime } = baseFields(record);
      let service = found.get(id);
      if (service === undefined) found.set(id, (service = { name, protocol, startTime, listeners: 0, connectors: 0 }));
      service[kind]++;
      service.startTime = Math.min(service.startTime, startTime);
    };
    for (const listener of this.#source.records(RecordType.listener)) add(listener, 'listeners');
    for (const connector of this.#source.records(RecordType.connector)) add(connector, 'connectors');
    const observed = this.#observedProtocols();
    return [...found].map(([id, { name, protocol, startTime, listeners, connectors }]) => ({
      identity: id,
      startTime,
      endTime: 0,
      name,
      protocol,
      observedApplicationProtocols: [...(observed.get(name) ?? [])].sort(),
      listenerCount: listeners,
      connectorCount: connectors,
      isBound: listeners > 0 && connectors > 0,
      hasListener: listeners > 0,
    }));
  }

  #observedProtocols(): ReadonlyMap<string, ReadonlySet<string>> {
    const found = new Map<string, Set<string>>();
    for (const { address, protocol } of this.#source.series()) {
      if (!protocol.startsWith('http')) continue;
      const known = found.get(address);
      if (known === undefined) found.set(address, new Set([protocol]));
      else known.add(protocol);
    }
    return found;
  }

  processes(): SkupperRecord[] {
    return this.#processes.processes();
  }

  components(): SkupperRecord[] {
    return this.#processes.components();
  }

  links(): SkupperRecord[] {
    const accesses = new Map([...this.#source.records(RecordType.routerAccess)].map((access) => [identity(access), access]));
    return [...this.#source.records(RecordType.link)].map((link) => {
      const site = this.#siteOf(link);
      const peer = text(link, Attribute.peer, '');
      const role = text(link, Attribute.role, unknown);
      const isUp = text(link, Attribute.operStatus, 'down') === 'up';
      const routerId = accesses.get(peer)?.place.routerId ?? text(link, Attribute.peerRouter, '');
      const dest = isUp ? this.#siteOfRouter.get(routerId) : undefined;
      return {
        ...baseFields(link),
        routerId: text(link, Attribute.parent, unknown),
        routerName: this.#routerNames.get(link.place.routerId) ?? unknown,
        name: text(link, Attribute.name, unknown),
        cost: isUp ? number(link, Attribute.linkCost) : null,
        role: role === 'inter-router' || role === 'edge' ? role : unknown,
        status: isUp ? 'up' : 'down',
        octetCount: number(link, Attribute.octets),
        octetReverseCount: number(link, Attribute.octetsReverse),
        routerAccessId: isUp && peer !== '' ? peer : null,
        destinationRouterId: dest === undefined ? null : (this.#routerIdentities.get(routerId) ?? routerId),
        destinationRouterName: dest === undefined ? null : (this.#routerNames.get(routerId) ?? unknown),
        sourceSiteId: site.id,
        sourceSiteName: site.name,
        destinationSiteId: dest?.id ?? null,
        destinationSiteName: dest?.name ?? null,
        proxyProtocol: { yes: 'HTTP', no: 'NONE' }[text(link, Attribute.httpProxy, '')] ?? null,
      };
    });
  }

  accesses(): SkupperRecord[] {
    return [...this.#source.records(RecordType.routerAccess)].map((access) => ({
      ...baseFields(access),
      routerId: text(access, Attribute.parent, unknown),
      name: text(access, Attribute.name, unknown),
      linkCount: number(access, Attribute.linkCount),
      role: text(access, Attribute.role, unknown),
    }));
  }

  connections(): SkupperRecord[] {
    const ports = this.#ports();
    return [...this.#source.records(RecordType.transportFlow)].flatMap((flow) => {
      const listener = ports.get(text(flow, Attribute.parent, ''));
      if (listener === undefined) return [];
      const ends = this.#ends(flow, listener, ports);
      const { source, dest, connector, protocol } = ends;
      return [
        {
          ...baseFields(flow),
          ...this.#flowFields(flow, ends),
          processPairId: dest.id === '' ? null : this.#pairId('processpair', source, dest, protocol),
          componentPairId: dest.id === '' ? null : this.#pairId('grouppair', source.component, dest.component, protocol),
          sitePairId: dest.id === '' ? null : this.#pairId('sitepair', source.site, dest.site, protocol),
          listenerId: identity(listener),
          connectorId: connector === undefined ? '' : identity(connector),
          sourceHost: text(flow, Attribute.sourceHost, ''),
          sourcePort: text(flow, Attribute.sourcePort, ''),
          destHost: connector === undefined ? '' : text(connector, Attribute.destHost, ''),
          destPort: connector === undefined ? '' : text(connector, Attribute.destPort, ''),
          proxyHost: text(flow, Attribute.proxyHost, ''),
          proxyPort: text(flow, Attribute.proxyPort, ''),
          latency: number(flow, Attribute.latency),
          latencyReverse: number(flow, Attribute.processLatency),
          listenerError: textOrNull(flow, Attribute.errorListenerSide),
          connectorError: textOrNull(flow, Attribute.errorConnectorSide),
        },
      ];
    });
  }

  requests(): SkupperRecord[] {
    const ports = this.#ports();
    const connections = new Map([...this.#source.records(RecordType.transportFlow)].map((flow) => [identity(flow), flow]));
    return [...this.#source.records(RecordType.applicationFlow)].flatMap((flow) => {
      const parent = text(flow, Attribute.parent, '');
      const connection = connections.get(parent);
      const listener = ports.get(connection === undefined ? parent : text(connection, Attribute.parent, ''));
      if (listener === undefined) return [];
      const ends = this.#ends(flow, listener, ports);
      return [
        {
          ...baseFields(flow),
          ...this.#flowFields(flow, { ...ends, protocol: text(flow, Attribute.protocol, ends.protocol) }),
          connectionId: connection === undefined ? '' : parent,
          method: text(flow, Attribute.method, ''),
          status: text(flow, Attribute.result, ''),
        },
      ];
    });
  }

  /** Pairs of sites, processes or components that talk to each other. */
  pairs(kind: 'SITE' | 'PROCESS' | 'PROCESS_GROUP'): SkupperRecord[] {
    const found = new Map<string, SkupperRecord & { recordCount: number; startTime: number }>();
    const add = (source: Place, dest: Place, protocol: string, startTime: number, sites?: readonly [Place, Place]): void => {
      if (source.id === '' || dest.id === '') return;
      const id = this.#pairId(kind === 'SITE' ? 'sitepair' : kind === 'PROCESS' ? 'processpair' : 'grouppair', source, dest, protocol);
      const known = found.get(id);
      if (known !== undefined) {
        known.recordCount++;
        known.startTime = Math.min(known.startTime, startTime);
        return;
      }
      found.set(id, {
        identity: id,
        startTime,
        endTime: 0,
        pairType: kind,
        recordCount: 1,
        sourceId: source.id,
        destinationId: dest.id,
        sourceName: source.name,
        destinationName: dest.name,
        ...(sites === undefined
          ? {}
          : {
              sourceSiteId: sites[0].id,
              sourceSiteName: sites[0].name,
              destinationSiteId: sites[1].id,
              destinationSiteName: sites[1].name,
            }),
        protocol,
      });
    };
    if (kind === 'SITE') {
      // Sums tell of all traffic; single flows may have been left out.
      for (const { protocol, labels } of this.#source.series()) {
        const { sourceId, destId } = labels;
        add(this.#siteOfRouter.get(sourceId) ?? nowhere, this.#siteOfRouter.get(destId) ?? nowhere, protocol, this.#startMs * 1000);
      }
      return [...found.values()];
    }
    const ports = this.#ports();
    for (const flow of this.#flows()) {
      const listener = this.#listenerOf(flow, ports);
      if (listener === undefined) continue;
      const { source, dest, protocol } = this.#ends(flow, listener, ports);
      const { startTime } = baseFields(flow);
      if (kind === 'PROCESS') add(source, dest, protocol, startTime, [source.site, dest.site]);
      else add(source.component, dest.component, protocol, startTime);
    }
    return [...found.values()];
  }

  /** Many flows are of one pair. */
  #pairId(kind: string, source: Place, dest: Place, protocol: string): string {
    const key = `${kind}\n${source.id}\n${dest.id}\n${protocol}`;
    const known = this.#pairIds.get(key);
    if (known !== undefined) return known;
    const id = deviseId(kind, source.id, dest.id, protocol);
    this.#pairIds.set(key, id);
    return id;
  }

  *#flows(): Generator<KnownRecord> {
    yield* this.#source.records(RecordType.transportFlow);
    yield* this.#source.records(RecordType.applicationFlow);
  }

  #ports(): ReadonlyMap<string, KnownRecord> {
    const ports = new Map<string, KnownRecord>();
    for (const type of [RecordType.listener, RecordType.connector]) {
      for (const record of this.#source.records(type)) ports.set(identity(record), record);
    }
    for (const flow of this.#source.records(RecordType.transportFlow)) ports.set(identity(flow), flow);
    return ports;
  }

  #listenerOf(flow: KnownRecord, ports: ReadonlyMap<string, KnownRecord>): KnownRecord | undefined {
    const parent = ports.get(text(flow, Attribute.parent, ''));
    if (parent === undefined || number(parent, Attribute.recordType) === RecordType.listener) return parent;
    return ports.get(text(parent, Attribute.parent, ''));
  }

  #ends(flow: KnownRecord, listener: KnownRecord, ports: ReadonlyMap<string, KnownRecord>): FlowEnds {
    const connector = ports.get(text(flow, Attribute.connector, ''));
    const destRouter = connector?.place.routerId ?? text(flow, Attribute.destRouter, '');
    const site = this.#siteOfRouter.get(destRouter) ?? nowhere;
    const dest = connector === undefined ? { ...nowhere, site, component: nowhere } : this.#processes.ofConnector(connector);
    return {
      source: this.#processes.ofClient(flow),
      dest,
      connector,
      protocol: text(listener, Attribute.protocol, unknown),
      routingKey: text(listener, Attribute.vanAddress, unknown),
      sourceRouter: listener.place.routerId,
      destRouter,
    };
  }

  #flowFields(flow: KnownRecord, ends: FlowEnds): Record<string, unknown> {
    const { source, dest, protocol, routingKey, sourceRouter, destRouter } = ends;
    const { startTime, endTime } = baseFields(flow);
    const routers = [sourceRouter, ...tracedRouters(text(flow, Attribute.trace, '')), destRouter].filter((id) => id !== '');
    const names = routers.map((id) => this.#routerNames.get(id) ?? id);
    const sites = routers.map((id) => this.#siteOfRouter.get(id)?.name ?? id);
    return {
      sourceSiteId: source.site.id,
      sourceSiteName: source.site.name,
      destSiteId: dest.site.id,
      destSiteName: dest.site.name,
      sourceProcessId: source.id,
      sourceProcessName: source.name,
      destProcessId: dest.id,
      destProcessName: dest.name,
      duration: endTime > startTime ? endTime - startTime : null,
      routingKey,
      protocol,
      octetCount: number(flow, Attribute.octets),
      octetReverseCount: number(flow, Attribute.octetsReverse),
      traceRouters: withoutRepeats(names),
      traceSites: withoutRepeats(sites),
    };
  }

  #siteOf(record: KnownRecord): Place {
    return this.#siteOfRouter.get(record.place.routerId) ?? { id: record.place.routerId, name: record.place.name };
  }
}

interface FlowEnds {
  readonly source: ProcessPlace;
  readonly dest: Omit<ProcessPlace, 'record'>;
  readonly connector: KnownRecord | undefined;
  readonly protocol: string;
  readonly routingKey: string;
  readonly sourceRouter: string;
  readonly destRouter: string;
}

/** Ids in a trace such as `0/a|0/b`; `Local` is none. */
function tracedRouters(trace: string): string[] {
  return trace === '' || trace === 'Local' ? [] : trace.split('|').map((name) => name.replace(/^0\//, ''));
}

function withoutRepeats(names: readonly string[]): string[] {
  return names.filter((name, index) => name !== names[index - 1]);
}

function platformOf(name: string): string {
  const platform = name.toLowerCase();
  return ['kubernetes', 'podman', 'docker', 'linux'].includes(platform) ? platform : unknown;
}
