/** Times in certificates: UTCTime is YYMMDDHHMMSSZ, with years from 1950 on; GeneralizedTime is YYYYMMDDHHMMSSZ (RFC 5280 section 4.1.2.5). */

/** Milliseconds since 1970; undefined when the text is no such time, or names a day that there is not. */
export function certificateTimeMs(text: string, isUtcTime: boolean): number | undefined {
  const century = isUtcTime ? (Number(text.slice(0, 2)) < 50 ? '20' : '19') : '';
  const matched = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(century + text);
  if (matched === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = matched.slice(1).map(Number);
  if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59) return undefined;
  const firstOfMonth = dayNumber(year, month);
  const firstOfNext = month === 12 ? dayNumber(year + 1, 1) : dayNumber(year, month + 1);
  if (firstOfMonth + day > firstOfNext) return undefined;
  return (((firstOfMonth + day - 1) * 24 + hour) * 60 + minute) * 60_000 + second * 1000;
}

/** Days from 1970-01-01 to the first of a month. Years are counted from March, so that the leap day is the last of its year. */
function dayNumber(year: number, month: number): number {
  const marchYear = month < 3 ? year - 1 : year;
  const monthFromMarch = (month + 9) % 12;
  const leapDays = Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400);
  return marchYear * 365 + leapDays + Math.floor((153 * monthFromMarch + 2) / 5) - daysToEpoch;
}

/** From 0000-03-01 to 1970-01-01. */
const daysToEpoch = 719_468;
