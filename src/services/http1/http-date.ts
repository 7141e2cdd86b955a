import type { Clock } from '../../base/clock.ts';
import { octetsOf } from './octets.ts';

const weekdays: readonly string[] = ['Thu', 'Fri', 'Sat', 'Sun', 'Mon', 'Tue', 'Wed'];
const months: readonly string[] = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const dayMs = 86_400_000;

/** A time as HTTP writes it (RFC 9110 section 5.6.7), e.g. `Sun, 06 Nov 1994 08:49:37 GMT`. `wallMs` counts from 1970. */
export function httpDate(wallMs: number): string {
  const days = Math.floor(wallMs / dayMs);
  const seconds = Math.floor((wallMs - days * dayMs) / 1000);
  // Days from 1 March of year 0, so that a leap day is the last of its year; 146,097 days are 400 years.
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const month = (monthFromMarch + 2) % 12;
  const year = yearOfEra + era * 400 + (month < 2 ? 1 : 0);
  const time = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60].map(twoDigits).join(':');
  const weekday = weekdays[((days % 7) + 7) % 7];
  return `${weekday}, ${twoDigits(day)} ${months[month]} ${`${year}`.padStart(4, '0')} ${time} GMT`;
}

function twoDigits(number: number): string {
  return `${number}`.padStart(2, '0');
}

/** The line `date: ...` of answers, made once a second. One serves a listener. */
export class DateLine {
  readonly #clock: Clock;
  #second = -1;
  #octets: Uint8Array = octetsOf('');

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get octets(): Uint8Array {
    const second = Math.floor(this.#clock.wallMs() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#octets = octetsOf(`date: ${httpDate(second * 1000)}\r\n`);
    }
    return this.#octets;
  }
}
