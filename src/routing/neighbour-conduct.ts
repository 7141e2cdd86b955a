import type { RoutingDiagnostics, ViolationReason } from './events.ts';
import type { RecordVerdict } from './signed-database.ts';
import type { SignedRecord } from './signed-record.ts';

/** Records with a signature that does not hold, from one neighbour within a minute, before it counts as an attack. */
const maxInvalidSignatures = 16;

/** What neighbours that sign did wrong: honest routers verify before they pass on, so that some of it cannot be an accident. */
export class NeighbourConduct {
  readonly #diagnostics: RoutingDiagnostics;
  readonly #signerOn: (link: number) => string | undefined;
  readonly #invalidSignatures = new Map<number, number>();
  readonly #violators = new Set<number>();
  readonly #unsigned = new Set<number>();

  constructor(diagnostics: RoutingDiagnostics, signerOn: (link: number) => string | undefined) {
    this.#diagnostics = diagnostics;
    this.#signerOn = signerOn;
  }

  linkDown(link: number): void {
    this.#invalidSignatures.delete(link);
    this.#violators.delete(link);
    this.#unsigned.delete(link);
  }

  minutePassed(): void {
    this.#invalidSignatures.clear();
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
    else if (verdict === 'invalid signature') this.#countInvalidSignature(link);
  }

  /** Octets that are no record. */
  malformed(link: number): void {
    this.#diagnostics.refusedRecord('malformed');
    this.violation(link, 'malformed record');
  }

  #countInvalidSignature(link: number): void {
    const count = (this.#invalidSignatures.get(link) ?? 0) + 1;
    this.#invalidSignatures.set(link, count);
    if (count > maxInvalidSignatures) this.violation(link, 'invalid signatures');
  }

  /** Told once per link: the owner closes it. */
  violation(link: number, reason: ViolationReason): void {
    const routerId = this.#signerOn(link);
    if (routerId === undefined || this.#violators.has(link)) return;
    this.#violators.add(link);
    this.#diagnostics.emit({ type: 'violation', routerId, link, reason });
  }
}
