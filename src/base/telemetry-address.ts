/**
 * Addresses of flow records, as skupper-router names them. They carry what routers tell about themselves, not services:
 *
 *     mc/sfe.*    what a source tells, to everybody who listens
 *     sfe.<id>    asks a source to tell everything again
 *     vfcr.<id>   what the server's router adds to a record of another
 */

/** Every member may tell what it does: to send to these needs no grant. To receive them does. */
export function isToldTelemetry(address: string): boolean {
  return address.startsWith('mc/sfe.') || address.startsWith('vfcr.');
}

/** Every member may be asked, and be helped with its records: to offer these needs no grant. */
export function isOwnTelemetry(address: string): boolean {
  return address.startsWith('sfe.') || address.startsWith('vfcr.');
}
