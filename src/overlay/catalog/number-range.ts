import { WeatherError } from '../../base/errors.ts';

/** Numbers that a host may give by itself: nobody has to be asked, and no two hosts give the same. Those of host 0 are for files. */
const numbersOfHost = 4095;

/** The first number of a host's own ones behind `last`, in turn, that is not taken. Throws WeatherError `numbers-exhausted`. */
export function nextNumber(hostId: number, last: number, isTaken: (number: number) => boolean): number {
  const base = hostId * (numbersOfHost + 1);
  const start = last > base && last <= base + numbersOfHost ? last - base : 0;
  for (let step = 0; step < numbersOfHost; step++) {
    const number = base + 1 + ((start + step) % numbersOfHost);
    if (!isTaken(number)) return number;
  }
  throw new WeatherError('numbers-exhausted', `all ${numbersOfHost} numbers of this host are in use, or were within a day`, {
    remedy: 'create it at another host, or say --vni',
  });
}
