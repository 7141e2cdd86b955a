import type { RecordUpdate } from './record.ts';
import { Attribute, RecordType } from './record-types.ts';
import { numberOf, textOf } from './record-values.ts';
import type { TopologyPlace, TopologyReport, TopologySite } from './topology-report.ts';

/** Numbers from here on are Caravan's own. */
const firstOwnNumber = 1000;

/** A router, or another program, that tells records. */
export interface FlowSourceState {
  readonly id: string;
  state: 'up' | 'silent';
  readonly firstSeenMs: number;
  /** Its clock minus ours. */
  clockOffsetMs: number;
  /** Empty until it has told its router. */
  routerId: string;
  /** Identity of its site's record. */
  siteId: string;
  /** It tells sums of its traffic: single flows are not to be counted. */
  tellsSums: boolean;
  /** Detailed records that it did not make, as it told last. */
  droppedFlows: number;
  router: RecordUpdate | undefined;
}

/** Which router a source is, and what its site is called. */
export class SiteDirectory {
  readonly #sources = new Map<string, FlowSourceState>();
  readonly #byRouter = new Map<string, FlowSourceState>();
  readonly #siteRecords = new Map<string, RecordUpdate>();
  #topology: TopologyReport | undefined;
  #topologySites: ReadonlyMap<string, TopologySite> = new Map();
  readonly #ownRouterId: string;
  /** Grows when a name may have changed, or which router a source is. */
  version = 0;

  constructor(ownRouterId: string) {
    this.#ownRouterId = ownRouterId;
  }

  get topology(): TopologyReport | undefined {
    return this.#topology;
  }

  get ownRouterId(): string {
    return this.#topology?.routerId ?? this.#ownRouterId;
  }

  setTopology(report: TopologyReport): void {
    this.#topology = report;
    const before = this.#topologySites;
    this.#topologySites = new Map(report.sites.map((site) => [site.routerId, site]));
    // It is told every few seconds, and names hardly ever change.
    const isSame = before.size === report.sites.length && report.sites.every(({ routerId, name }) => before.get(routerId)?.name === name);
    if (!isSame) this.version++;
  }

  /** The source; made when it is new. */
  source(id: string, nowMs: number): FlowSourceState {
    const known = this.#sources.get(id);
    if (known !== undefined) return known;
    const facts = { clockOffsetMs: 0, routerId: '', siteId: '', tellsSums: false, droppedFlows: 0, router: undefined };
    const made: FlowSourceState = { id, state: 'up', firstSeenMs: nowMs, ...facts };
    this.#sources.set(id, made);
    this.version++;
    return made;
  }

  known(id: string): FlowSourceState | undefined {
    return this.#sources.get(id);
  }

  sources(): IterableIterator<FlowSourceState> {
    return this.#sources.values();
  }

  forget(id: string): void {
    const source = this.#sources.get(id);
    if (source === undefined) return;
    this.#sources.delete(id);
    if (this.#byRouter.get(source.routerId) === source) this.#byRouter.delete(source.routerId);
    this.version++;
  }

  /**
   * Takes a record of a site or a router, and looks at the others for what they say of their source. Gives the source that the router had
   * before it was started again, when that has just become known.
   */
  learn(source: FlowSourceState, record: RecordUpdate): FlowSourceState | undefined {
    const type = numberOf(record, Attribute.recordType);
    if (!source.tellsSums && hasOwnNumbers(record)) source.tellsSums = true;
    if (type === RecordType.site) {
      const identity = textOf(record, Attribute.identity);
      this.#siteRecords.set(identity, record);
      if (source.siteId === '') source.siteId = identity;
      this.version++;
    }
    if (type !== RecordType.router) return undefined;
    source.router = record;
    source.siteId = textOf(record, Attribute.parent) || source.siteId;
    source.routerId = plainRouterId(textOf(record, Attribute.name));
    this.version++;
    // A router that comes back has a new source id; the newest speaks for it.
    const before = this.#byRouter.get(source.routerId);
    if (before === source) return undefined;
    const isOlder = before?.router !== undefined && startOf(before.router) > startOf(record);
    if (!isOlder) this.#byRouter.set(source.routerId, source);
    return isOlder ? source : before;
  }

  siteRecord(source: FlowSourceState): RecordUpdate | undefined {
    return this.#siteRecords.get(source.siteId);
  }

  forgetSite(identity: string): void {
    this.#siteRecords.delete(identity);
    this.version++;
  }

  sourceOfRouter(routerId: string): FlowSourceState | undefined {
    return this.#byRouter.get(routerId);
  }

  placeOfRouter(routerId: string): TopologyPlace {
    const site = this.#topologySites.get(routerId);
    if (site !== undefined) return { routerId, name: cutName(site.name) };
    const source = this.#byRouter.get(routerId);
    const record = source === undefined ? undefined : this.siteRecord(source);
    return { routerId, name: record === undefined ? routerId : textOf(record, Attribute.name) || routerId };
  }

  /** Where a source is. Controllers are no routers: they are where the router of their site is. */
  placeOfSource(id: string): TopologyPlace {
    const source = this.#sources.get(id);
    if (source === undefined) return { routerId: '', name: '' };
    if (source.routerId !== '') return this.placeOfRouter(source.routerId);
    if (source.siteId === '') return { routerId: '', name: '' };
    for (const other of this.#sources.values()) {
      if (other.siteId === source.siteId && other.routerId !== '') return this.placeOfRouter(other.routerId);
    }
    const record = this.siteRecord(source);
    return { routerId: '', name: record === undefined ? '' : textOf(record, Attribute.name) };
  }

  /** All routers that routing knows, or that tell records. One that fell silent and that routing does not know is no site any more. */
  routerIds(): readonly string[] {
    const known = new Set(this.#topologySites.keys());
    for (const { routerId, state } of this.#sources.values()) {
      if (routerId !== '' && (state === 'up' || this.#topology === undefined)) known.add(routerId);
    }
    return [...known];
  }

  topologySite(routerId: string): TopologySite | undefined {
    return this.#topologySites.get(routerId);
  }

  /** Whether `text` names the site of a router: by its name or by the router's id. */
  isSite(text: string, routerId: string): boolean {
    return text === routerId || text === this.placeOfRouter(routerId).name;
  }
}

/** Router ids in records and traces stand behind the number of an area: `0/west`. */
export function plainRouterId(text: string): string {
  return text.replace(/^\d+\//, '');
}

function startOf(record: RecordUpdate): number {
  return numberOf(record, Attribute.startTime) ?? 0;
}

const maxNameLength = 256;

function cutName(name: string): string {
  return name.length <= maxNameLength ? name : `${name.slice(0, maxNameLength - 1)}…`;
}

function hasOwnNumbers(record: RecordUpdate): boolean {
  for (const attribute of record.keys()) if (attribute >= firstOwnNumber) return true;
  return false;
}
