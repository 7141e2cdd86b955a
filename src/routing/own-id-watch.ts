import type { ControlMap } from './control-message.ts';
import type { RoutingDiagnostics } from './events.ts';
import { echoOfPreviousLifeMs, limits } from './limits.ts';

/** Hears unsigned messages in the name of this router: an own one has come back, or another router has the same id. */
export class OwnIdWatch {
  readonly #routerId: string;
  readonly #instance: number;
  readonly #diagnostics: RoutingDiagnostics;
  readonly #others = new Set<number>();

  constructor(routerId: string, instance: number, diagnostics: RoutingDiagnostics) {
    this.#routerId = routerId;
    this.#instance = instance;
    this.#diagnostics = diagnostics;
  }

  /** `ageMs`: since this router has started. Another router with its id is a misconfiguration to be told, once each. */
  heard(link: number, opcode: string, body: ControlMap, ageMs: number): void {
    const instance = body.get('instance');
    if (typeof instance !== 'number' || instance === 0 || instance === this.#instance) return;
    if (opcode !== 'HELLO' && instance < this.#instance && ageMs <= echoOfPreviousLifeMs) return;
    if (this.#others.has(instance) || this.#others.size >= limits.duplicateInstances) return;
    this.#others.add(instance);
    this.#diagnostics.emit({ type: 'duplicateRouterId', routerId: this.#routerId, link, instance });
  }
}
