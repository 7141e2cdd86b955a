import type { FirstOctets } from './first-octets.ts';
import type { Downstream } from './leg.ts';
import type { RemoteLeg } from './remote-leg.ts';
import type { RouterAnnotations } from './router-annotations.ts';

/** Puts the router annotations in front of the first bytes. */
export class AnnotatedLeg implements Downstream {
  readonly #leg: RemoteLeg;
  readonly #firstOctets: FirstOctets;
  readonly #isSevered: () => boolean;
  #annotations: RouterAnnotations | undefined;

  constructor(leg: RemoteLeg, annotations: RouterAnnotations, firstOctets: FirstOctets, isSevered: () => boolean) {
    this.#leg = leg;
    this.#annotations = annotations;
    this.#firstOctets = firstOctets;
    this.#isSevered = isSevered;
  }

  get severed(): boolean {
    return this.#isSevered();
  }

  send(bytes: Uint8Array, start: number, end: number, more: boolean): void {
    const annotations = this.#annotations;
    if (annotations === undefined) {
      this.#leg.send(bytes, start, end, more);
      return;
    }
    this.#annotations = undefined;
    const first = this.#firstOctets;
    const length = first.write(annotations, bytes, start, end);
    this.#leg.send(first.bytes, first.end - length, first.end, more);
  }

  abort(): void {
    this.#leg.abort();
  }

  forget(): void {
    this.#leg.forget();
  }

  get congested(): boolean {
    return this.#leg.congested;
  }

  get overloaded(): boolean {
    return this.#leg.overloaded;
  }
}
