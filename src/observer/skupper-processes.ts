import type { KnownRecord, NetworkModel } from '../flows/network-model.ts';
import { Attribute, RecordType } from '../flows/record-types.ts';
import { baseFields, identity, serviceId, text, textOrNull, unknown, type Place } from './skupper-fields.ts';
import { deviseId, shortSiteName } from './skupper-identities.ts';
import type { SkupperRecord } from './skupper-query.ts';

type Role = 'server' | 'client';

export interface ProcessPlace extends Place {
  readonly site: Place;
  readonly component: Place;
  readonly record: SkupperRecord;
}

/** Processes and components: those that sites tell of, and those that are devised for hosts nobody tells of. */
export class SkupperProcesses {
  readonly #source: Pick<NetworkModel, 'records'>;
  readonly #siteOf: (record: KnownRecord) => Place;
  readonly #siteById: (id: string) => Place | undefined;
  readonly #processes = new Map<string, ProcessPlace>();
  /** The first process of each host: what is at a host and is not told belongs to it. */
  readonly #byHost = new Map<string, ProcessPlace>();
  #hasServers = false;

  constructor(source: Pick<NetworkModel, 'records'>, siteOf: (record: KnownRecord) => Place, siteById: (id: string) => Place | undefined) {
    this.#source = source;
    this.#siteOf = siteOf;
    this.#siteById = siteById;
  }

  /** Processes that sites tell of, and one for each host with servers or clients that they do not. */
  processes(): SkupperRecord[] {
    this.#addServers();
    for (const type of [RecordType.transportFlow, RecordType.applicationFlow]) {
      for (const flow of this.#source.records(type)) this.ofClient(flow);
    }
    const services = this.#servicesByProcess();
    return [...this.#processes.values()].map(({ record }) => {
      const own = services.get(record.identity);
      return {
        ...record,
        binding: own?.isBound === true ? 'bound' : 'unbound',
        services: own === undefined ? null : [...own.names].sort(),
      };
    });
  }

  components(): SkupperRecord[] {
    const found = new Map<string, SkupperRecord & { processCount: number }>();
    for (const process of this.processes()) {
      const id = String(process['componentId']);
      const known = found.get(id);
      if (known !== undefined) known.processCount++;
      else {
        const { startTime } = process;
        found.set(id, { identity: id, startTime, endTime: 0, name: process['componentName'], role: process['role'], processCount: 1 });
      }
    }
    return [...found.values()];
  }

  ofConnector(connector: KnownRecord): ProcessPlace {
    this.#addServers();
    const told = text(connector, Attribute.process, '');
    const known = this.#processes.get(told);
    if (known !== undefined) return known;
    return this.#deviseProcess('server', text(connector, Attribute.destHost, ''), this.#siteOf(connector), connector);
  }

  ofClient(flow: KnownRecord): ProcessPlace {
    this.#addServers();
    return this.#deviseProcess('client', text(flow, Attribute.sourceHost, ''), this.#siteOf(flow), flow);
  }

  /** First those that are told and those of connectors: clients at their hosts are theirs, whatever is asked for first. */
  #addServers(): void {
    if (this.#hasServers) return;
    this.#hasServers = true;
    for (const process of this.#source.records(RecordType.process)) this.#addToldProcess(process);
    for (const connector of this.#source.records(RecordType.connector)) this.ofConnector(connector);
  }

  #addToldProcess(process: KnownRecord): ProcessPlace {
    const known = this.#processes.get(identity(process));
    if (known !== undefined) return known;
    const siteId = text(process, Attribute.parent, '');
    const site = this.#siteById(siteId) ?? { id: siteId, name: process.place.name };
    const name = text(process, Attribute.name, unknown);
    const group = text(process, Attribute.group, name);
    const mode = text(process, Attribute.mode, 'external');
    const place = { id: identity(process), name, site, component: { id: deviseId('pg', group), name: group } };
    return this.#addProcess(process, place, {
      hostName: textOrNull(process, Attribute.hostname),
      sourceHost: text(process, Attribute.sourceHost, unknown),
      imageName: textOrNull(process, Attribute.imageName),
      role: mode === 'internal' || mode === 'remote' ? mode : 'external',
    });
  }

  /** A process for a host that nobody tells of: of the servers, or of the clients at it. */
  #deviseProcess(role: Role, host: string, site: Place, seenIn: KnownRecord): ProcessPlace {
    const known = this.#byHost.get(hostKey(site, host));
    if (known !== undefined) return known;
    const id = deviseId('siteproc', host, site.id, role);
    const short = shortSiteName(site.id);
    const group = `site-${role}s-${short}`;
    const place = { id, name: `site-${role}-${host}-${short}`, site, component: { id: deviseId('pg', group), name: group } };
    return this.#addProcess(seenIn, place, { hostName: null, sourceHost: host, imageName: null, role: 'remote' });
  }

  #addProcess(
    seenIn: KnownRecord,
    place: Omit<ProcessPlace, 'record'>,
    fields: { hostName: string | null; sourceHost: string; imageName: string | null; role: string },
  ): ProcessPlace {
    const { id, name, site, component } = place;
    const record: SkupperRecord = {
      identity: id,
      startTime: baseFields(seenIn).startTime,
      endTime: 0,
      name,
      siteId: site.id,
      siteName: site.name,
      componentId: component.id,
      componentName: component.name,
      ...fields,
      binding: 'unbound',
      services: null,
    };
    const added = { ...place, record };
    this.#processes.set(id, added);
    const key = hostKey(site, fields.sourceHost);
    if (!this.#byHost.has(key)) this.#byHost.set(key, added);
    return added;
  }

  #servicesByProcess(): ReadonlyMap<string, { readonly names: ReadonlySet<string>; readonly isBound: boolean }> {
    const listening = new Set([...this.#source.records(RecordType.listener)].map((listener) => text(listener, Attribute.vanAddress, '')));
    const found = new Map<string, { names: Set<string>; isBound: boolean }>();
    for (const connector of this.#source.records(RecordType.connector)) {
      const { id } = this.ofConnector(connector);
      const address = text(connector, Attribute.vanAddress, '');
      const protocol = text(connector, Attribute.protocol, unknown);
      let own = found.get(id);
      if (own === undefined) found.set(id, (own = { names: new Set(), isBound: false }));
      own.names.add(`${address}@${serviceId(address, protocol)}@${protocol}`);
      own.isBound ||= listening.has(address);
    }
    return found;
  }
}

function hostKey(site: Place, host: string): string {
  return `${site.id}\n${host}`;
}
