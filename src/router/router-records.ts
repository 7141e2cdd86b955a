import type { Logger } from '../base/log.ts';
import { defaultFlowsPerSecond } from '../flows/flow-source.ts';
import type { RouterConfiguration } from '../management/entities.ts';
import type { ControlMap } from '../routing/control-message.ts';
import { FlowRecords } from './flow-records.ts';
import type { FlowRecordsOptions, FlowSettings } from './flow-records.ts';
import { LinkRecords } from './link-records.ts';
import type { LinkRecordsOptions } from './link-records.ts';
import { RecordedLog } from './recorded-log.ts';
import type { RouterDependencies } from './router.ts';
import { ServiceRecords } from './service-records.ts';
import type { RouterServices } from './services.ts';

export interface RouterRecordsOptions extends Pick<FlowRecordsOptions, 'forwarder' | 'turns' | 'sourceId' | 'nextIdentity'> {
  readonly configuration: RouterConfiguration;
  readonly dependencies: Pick<RouterDependencies, 'clock' | 'version' | 'log' | 'site' | 'flowSettings'>;
  readonly probesOf: LinkRecordsOptions['probesOf'];
}

/** As long as nobody says otherwise. */
const usualSettings = (): FlowSettings => ({
  detailRate: defaultFlowsPerSecond,
  certificateEndsMs: undefined,
  membershipEndsMs: undefined,
});

/** Log lines told in one second, and at once: a log that runs over is for its file. */
const linesPerSecond = 20;

/** All that a router tells about itself. */
export class RouterRecords {
  readonly flows: FlowRecords;
  readonly links: LinkRecords;
  readonly services: ServiceRecords;
  /** The router's log, of which warnings and errors are told as well. */
  readonly log: Logger;
  readonly #nowMs: () => number;
  #owner: RouterServices | undefined;
  #linesLeft = linesPerSecond;
  #linesSinceMs = -Infinity;

  constructor(options: RouterRecordsOptions) {
    const { configuration, dependencies, probesOf, ...shared } = options;
    const { clock, version, log, site = siteOf(configuration), flowSettings: settings = usualSettings } = dependencies;
    const { id: routerId, mode } = configuration.router;
    this.#nowMs = () => clock.nowMs();
    const refresh = (): void => this.#refresh();
    const report = (): void => this.#owner?.report();
    this.flows = new FlowRecords({ ...shared, clock, version, routerId, mode, settings, refresh, report }, site);
    const { source, routerIdentity } = this.flows;
    const wallMicroseconds = (): number => this.flows.wallMicroseconds();
    this.links = new LinkRecords({ source, routerIdentity, wallMicroseconds, probesOf });
    this.services = new ServiceRecords({ source, routerId, routerIdentity, siteIdentity: routerId, wallMicroseconds });
    this.log = new RecordedLog(log, (severity, text) => {
      if (this.#mayTell()) source.log(severity, text, wallMicroseconds());
    });
  }

  #mayTell(): boolean {
    const nowMs = this.#nowMs();
    if (nowMs - this.#linesSinceMs >= 1000) {
      this.#linesSinceMs = nowMs;
      this.#linesLeft = linesPerSecond;
    }
    return this.#linesLeft-- > 0;
  }

  /** Whose services are told of. */
  attach(services: RouterServices): void {
    this.#owner = services;
  }

  #refresh(): void {
    this.links.refresh();
    this.#owner?.refreshRecords();
  }
}

/** What a configuration says of the site. */
function siteOf({ site }: RouterConfiguration): ControlMap | undefined {
  if (site === undefined) return undefined;
  const texts = Object.entries(site).filter((entry): entry is [string, string] => entry[0] !== 'type' && typeof entry[1] === 'string');
  return new Map(texts);
}

/** Name of the site, as far as it is told. */
export function siteNameOf(site: ControlMap | undefined): string | undefined {
  const name = site?.get('name');
  return typeof name === 'string' && name !== '' ? name : undefined;
}
