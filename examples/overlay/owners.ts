import { addressHex } from '../../src/overlay/control/address.ts';
import { ownerTable } from '../../src/overlay/control/owner-table.ts';
import { slotOf } from '../../src/overlay/control/tables.ts';

/** The host that is asked first where an address is. */
export function firstOwner(vni: number, tableId: number, members: readonly number[], address: string): number {
  return ownerTable(tableId, members)[slotOf(vni, addressHex(address))]?.first ?? 0;
}
