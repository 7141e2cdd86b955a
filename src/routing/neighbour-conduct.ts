import type { RoutingDiagnostics, ViolationReason } from './events.ts';
import type { RecordVerdict } from './signed-database.ts';
import type { SignedRecord } from './signed-record.ts';

/**
 * What neighbours that sign did wrong: honest routers verify before they pass on, so that a wrong signature under the name of a key that is held
 * here cannot be an accident. Under another key's name nothing can be said: its credential may be on the way, or be superseded already.
 */
export class NeighbourConduct {
  readonly #diagnostics: RoutingDiagnostics;
  readonly #signerOn: (link: number) => string | undefined;
  readonly #violators = new Set<number>();
  readonly #unsigned = new Set<number>();

  constructor(diagnostics: RoutingDiagnostics, signerOn: (link: number) => string | undefined) {
    this.#diagnostics = diagnostics;
    this.#signerOn = signerOn;
  }

  linkDown(link: number): void {
    this.#violators.delete(link);
    this.#unsigned.delete(link);
  }

  /** It does not sign although it must. Told once per link. */
  unsigned(link: number, routerId: string): void {
    if (this.#unsigned.has(link)) return;
    this.#unsigned.add(link);
    this.#diagnostics.emit({ type: 'unsignedRefused', routerId, link, isNeighbour: true });
  }

  /** A record that came in on a link was not accepted. */
  refused(verdict: RecordVerdict, record: SignedRecord, link: number): void {
    // Certificates end and are revoked at different moments in different places: only that of the neighbour itself is its fault.
    const ofNeighbour = record.origin === this.#signerOn(link);
    this.#diagnostics.refusedRecord(verdict);
    if (verdict === 'forged') this.violation(link, 'forged record');
    else if (verdict === 'malformed' && ofNeighbour) this.violation(link, 'malformed record');
    else if (verdict === 'credential refused' && ofNeighbour) this.violation(link, 'credential refused');
  }

  /** Octets that are no record. */
  malformed(link: number): void {
    this.#diagnostics.refusedRecord('malformed');
    this.violation(link, 'malformed record');
  }

  /** Told once per link: the owner closes it. */
  violation(link: number, reason: ViolationReason): void {
    const routerId = this.#signerOn(link);
    if (routerId === undefined || this.#violators.has(link)) return;
    this.#violators.add(link);
    this.#diagnostics.emit({ type: 'violation', routerId, link, reason });
  }
}
