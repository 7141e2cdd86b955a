import type { FirstOctets } from './first-octets.ts';
import type { Downstream } from './leg.ts';
import type { RemoteLeg } from './remote-leg.ts';
import type { RouterAnnotations } from './router-annotations.ts';

/** Knows which neighbours do not answer, though their connections still stand. */
export interface SeveredLinks {
  isSevered(link: number): boolean;
}

/** Puts the router annotations in front of the first bytes. */
export class AnnotatedLeg implements Downstream {
  readonly #leg: RemoteLeg;
  readonly #firstOctets: FirstOctets;
  readonly #links: SeveredLinks;
  readonly #link: number;
  #annotations: RouterAnnotations | undefined;

  constructor(leg: RemoteLeg, annotations: RouterAnnotations, firstOctets: FirstOctets, links: SeveredLinks, link: number) {
    this.#leg = leg;
    this.#annotations = annotations;
    this.#firstOctets = firstOctets;
    this.#links = links;
    this.#link = link;
  }

  get severed(): boolean {
    return this.#links.isSevered(this.#link);
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
