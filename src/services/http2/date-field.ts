import type { Clock } from '../../base/clock.ts';
import type { FieldBlock } from '../http/exchange.ts';
import { buildFields, indexOfField, noFields } from '../http/field-block.ts';
import { httpDate } from '../http1/http-date.ts';
import { octetsOf } from '../http1/octets.ts';

const dateName = octetsOf('date');

/** The field `date` for answers that have none, made once a second. One serves a listener. */
export class DateField {
  readonly #clock: Clock;
  #second = -1;
  #block: FieldBlock = noFields;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A block to be added to these fields; empty when they have a date. */
  for(fields: FieldBlock): FieldBlock {
    if (indexOfField(fields, dateName) >= 0) return noFields;
    const second = Math.floor(this.#clock.wallMs() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#block = buildFields([{ name: 'date', value: httpDate(second * 1000) }]);
    }
    return this.#block;
  }
}
