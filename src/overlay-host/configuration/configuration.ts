import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { InputError } from '../../base/errors.ts';
import { parseAddress } from '../../overlay/packet/address.ts';
import type { FileResource } from '../../overlay/catalog/resource-book.ts';
import { specLimits } from '../../overlay/control/spec.ts';
import { checkSubnets, readSubnets } from './configured-subnets.ts';
import { Fields } from './fields.ts';
import { readResourceFile, resourcesOf } from './file-resources.ts';
import type { AgentMode } from '../data-path/pod-agents.ts';
import type { TransitMode } from '../data-path/uplink-transit.ts';

/** A host of the overlay, as all of them have it in their configurations. */
export interface ConfiguredHost {
  /** The site name in its certificate. */
  readonly name: string;
  readonly hostId: number;
  /** On the underlay, text. */
  readonly address: string;
  /** Where its daemon listens. */
  readonly port: number;
}

/** Configuration of one host's daemon. */
export interface OverlayConfiguration {
  readonly self: ConfiguredHost;
  readonly hosts: readonly ConfiguredHost[];
  /** What its `vpcs` and the file of its `resources` say. */
  readonly resources: readonly FileResource[];
  /** Number of the list of hosts: raised by whoever changes it. */
  readonly epoch: number;
  /** Name of the link to the other hosts; that of the default route when absent. */
  readonly uplink: string | undefined;
  /** Where packets from other hosts are taken; `auto`: as the uplink is. */
  readonly transit: TransitMode | 'auto';
  readonly xdpMode: 'native' | 'generic';
  /** How the pods' frames are taken. */
  readonly agent: AgentMode;
  readonly trustFolder: string;
  readonly stateFolder: string;
  /** Of a BPF file system, this host's own. */
  readonly bpfFolder: string;
  readonly cniSocket: string;
  /** Where `van overlay status` and the like ask. */
  readonly operatorSocket: string;
}

const defaultPort = 45_710;
const defaultFolder = '/var/lib/caravan/overlay';
export const defaultOperatorSocket = '/run/caravan/overlay.sock';

/**
 * Reads a configuration. Paths in it are relative to the folder of `file`. `readFile`: the text of a file that it names. Throws InputError, and
 * what `readFile` does.
 */
export function parseConfiguration(text: string, file: string, readFile: (path: string) => string): OverlayConfiguration {
  let document: unknown;
  try {
    document = parse(text);
  } catch (cause) {
    throw new InputError('bad-configuration', file, `is not YAML: ${(cause as Error).message.split('\n', 1)[0] ?? ''}`, { cause });
  }
  const fields = new Fields(document, file);
  const path = (name: string, usual: string): string => resolve(dirname(file), fields.text(name) ?? usual);
  const hosts = fields.list('hosts', specLimits.hosts).map(readHost);
  const name = fields.neededText('host');
  const self = hosts.find((host) => host.name === name);
  if (self === undefined) throw fields.wrong('host', `${name} is not in hosts`);
  refuseTwins(fields, hosts);
  const resources = fields.text('resources');
  const resourceFile = resources === undefined ? undefined : resolve(dirname(file), resources);
  const listed = readSubnets(fields);
  const read = resourceFile === undefined ? { resources: [], subnets: [] } : readResourceFile(readFile(resourceFile), resourceFile);
  checkSubnets([...listed, ...read.subnets], file);
  const configuration: OverlayConfiguration = {
    self,
    hosts,
    resources: [...resourcesOf(listed), ...read.resources],
    epoch: fields.number('epoch', 1, 0xffffffff) ?? 1,
    uplink: fields.text('uplink'),
    transit: fields.choice('transit', ['auto', 'xdp', 'tc']) ?? 'auto',
    xdpMode: fields.choice('xdpMode', ['native', 'generic']) ?? 'native',
    agent: fields.choice('agent', ['tc', 'tcx', 'xdp']) ?? 'tc',
    trustFolder: path('trustFolder', `${defaultFolder}/trust`),
    stateFolder: path('stateFolder', `${defaultFolder}/state`),
    bpfFolder: path('bpfFolder', '/sys/fs/bpf/caravan'),
    cniSocket: path('cniSocket', '/run/caravan/cni.sock'),
    operatorSocket: path('operatorSocket', defaultOperatorSocket),
  };
  fields.refuseOthers();
  return configuration;
}

function readHost(fields: Fields): ConfiguredHost {
  const address = fields.neededText('address');
  if (parseAddress(address) === undefined) throw fields.wrong('address', `${address} is no IP address`);
  const host = {
    name: fields.neededText('name'),
    hostId: fields.neededNumber('id', 1, specLimits.hosts),
    address,
    port: fields.number('port', 1, 65_535) ?? defaultPort,
  };
  fields.refuseOthers();
  return host;
}

function refuseTwins(fields: Fields, hosts: readonly ConfiguredHost[]): void {
  for (const member of ['name', 'hostId', 'address'] as const) {
    const seen = new Set<string | number>();
    for (const host of hosts) {
      if (seen.has(host[member])) throw fields.wrong('hosts', `two of them have ${host[member]}`);
      seen.add(host[member]);
    }
  }
}
