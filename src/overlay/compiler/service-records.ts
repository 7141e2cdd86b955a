import { hexOf, isIpv4Prefix, octetsOf, type AddressHex } from '../control/address.ts';
import { setRecord, type MapBuilder } from '../control/map-builder.ts';
import { maps } from '../layout/maps.ts';
import { backendCodec, backendFlag, backendSlots, serviceFlag, serviceKeyCodec, type ServiceKey } from '../layout/service.ts';
import type { Service } from '../resources/tenant-network.ts';
import { maglevTable } from './maglev-table.ts';
import { revisionOf } from './text-hash.ts';

/*
 * A service in the maps, of each address and port:
 *
 *   services        {vni, address, port, protocol}  ──► id, table, generation
 *   backend_tables  [table]                         ──► 251 slots, each with a backend
 *   backends        {id, backend's address, port}   ──► ready or draining
 *
 * and of each address: {vni, address, 0, 0}, which says that it is a service's, and {vni, address, 0, ICMP}, for echo requests. Both name the
 * table of the first port.
 */

/** The backends of a service, of both families, sorted. */
export interface Backends {
  readonly ready: readonly AddressHex[];
  readonly draining: readonly AddressHex[];
}

/** Slots of a port's table, and the number of what they follow from. */
export interface ServiceTable {
  readonly revision: number;
  readonly values: readonly Uint8Array[];
}

export interface ServiceRecords {
  readonly records: MapBuilder;
  readonly tables: ReadonlyMap<number, ServiceTable>;
}

const protocolNumbers = { tcp: 6, udp: 17 } as const;
const icmp = 1;
const icmpv6 = 58;

/** One port of one address of a service: the key of its record, as hex digits. */
export function portKeysOf(vni: number, { addresses, ports }: Service): string[] {
  return addresses.flatMap((address) => ports.map((port) => keyHex({ vni, address, port: port.port, protocol: port.protocol })));
}

/** Whether a record is that of a port, not one of a whole address. */
export function isPortKey({ port }: ServiceKey): boolean {
  return port !== 0;
}

/** The table of a port with this id. */
export function tableOf(serviceId: number): number {
  return serviceId - 1;
}

/** `idOf`: the number of a port by its key; a port without one is left out. */
export function serviceRecords(
  vni: number,
  service: Service,
  { ready, draining }: Backends,
  idOf: (key: string) => number | undefined,
): ServiceRecords {
  const records: MapBuilder = new Map();
  const tables = new Map<number, ServiceTable>();
  const flags = service.affinity === 'client' ? serviceFlag.affinity : 0;
  for (const address of service.addresses) {
    const isIpv4 = isOfIpv4(address);
    const [readyHere, drainingHere] = [ready, draining].map((all) => all.filter((backend) => isOfIpv4(backend) === isIpv4)) as [
      AddressHex[],
      AddressHex[],
    ];
    let isFirst = true;
    for (const { port, protocol, targetPort } of service.ports) {
      const serviceId = idOf(keyHex({ vni, address, port, protocol }));
      if (serviceId === undefined) continue;
      const tableId = tableOf(serviceId);
      const revision = revisionOf(`${readyHere.join()} ${targetPort}`);
      // Flows look again whether they may go on when a backend drains, or does no more; the table stays then.
      const generation = drainingHere.length === 0 ? revision : revisionOf(`${readyHere.join()} ${drainingHere.join()} ${targetPort}`);
      const record = { serviceId, tableId, generation, flags, backends: readyHere.length };
      const key = { vni, address: octetsOf(address), port, protocol: protocolNumbers[protocol] };
      setRecord(records, maps.services, key, record);
      if (isFirst) {
        setRecord(records, maps.services, { ...key, port: 0, protocol: 0 }, record);
        setRecord(records, maps.services, { ...key, port: 0, protocol: isIpv4 ? icmp : icmpv6 }, record);
        isFirst = false;
      }
      for (const [list, flag] of [
        [readyHere, backendFlag.ready],
        [drainingHere, backendFlag.draining],
      ] as const) {
        for (const backend of list) {
          setRecord(records, maps.backends, { serviceId, address: octetsOf(backend), port: targetPort }, { flags: flag });
        }
      }
      tables.set(tableId, { revision, values: slotsOf(readyHere, targetPort) });
    }
  }
  return { records, tables };
}

function slotsOf(ready: readonly AddressHex[], port: number): readonly Uint8Array[] {
  if (ready.length === 0) return Array.from({ length: backendSlots }, () => nobody);
  const values = ready.map((address) => backendCodec.encode({ address: octetsOf(address), port, flags: 0 }));
  return Array.from(maglevTable(ready.map((address) => `${address}:${port}`)), (index) => values[index]!);
}

const nobody = new Uint8Array(backendCodec.byteLength);

function keyHex({ vni, address, port, protocol }: { vni: number; address: AddressHex; port: number; protocol: 'tcp' | 'udp' }): string {
  return hexOf(serviceKeyCodec.encode({ vni, address: octetsOf(address), port, protocol: protocolNumbers[protocol] }));
}

function isOfIpv4(address: AddressHex): boolean {
  return isIpv4Prefix({ address, length: 128 });
}
