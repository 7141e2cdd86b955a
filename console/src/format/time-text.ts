import { noValue, roughNumber, threeDigits } from './number-text.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** How long something took: `0.42 ms`, `12.4 ms`, `1.25 s`, `2 min 05 s`. */
export function durationText(ms: number | null): string {
  if (ms === null) return noValue;
  if (ms < 999.5) return `${ms === 0 ? '0' : threeDigits(ms)} ms`;
  if (ms < minute - 50) return `${threeDigits(ms / second)} s`;
  return spanText(ms);
}

/** How long something took, for where there is little room: `0.42 ms`, `9.3 ms`, `25 ms`, `1.2 s`. */
export function roughDurationText(ms: number): string {
  return ms < 999.5 ? `${roughNumber(ms)} ms` : `${roughNumber(ms / second)} s`;
}

/** A longer time in its two largest units: `12 s`, `3 min 05 s`, `4 h 12 min`, `3 d 2 h`. */
export function spanText(ms: number): string {
  const whole = Math.max(0, Math.floor(ms / second)) * second;
  if (whole < minute) return `${whole / second} s`;
  if (whole < hour) return `${Math.floor(whole / minute)} min ${twoDigits(Math.floor((whole % minute) / second))} s`;
  if (whole < day) return `${Math.floor(whole / hour)} h ${twoDigits(Math.floor((whole % hour) / minute))} min`;
  return `${Math.floor(whole / day)} d ${Math.floor((whole % day) / hour)} h`;
}

/** A longer time in its largest unit: `12 s`, `3 min`, `4 h`, `3 d`. */
export function roughSpanText(ms: number): string {
  const whole = Math.max(0, ms);
  if (whole < minute) return `${Math.floor(whole / second)} s`;
  if (whole < hour) return `${Math.floor(whole / minute)} min`;
  if (whole < 2 * day) return `${Math.floor(whole / hour)} h`;
  return `${Math.floor(whole / day)} d`;
}

/** From now to then: `in 3 h`, `4 min ago`. */
export function relativeText(atMs: number, nowMs: number): string {
  return atMs >= nowMs ? `in ${roughSpanText(atMs - nowMs)}` : `${roughSpanText(nowMs - atMs)} ago`;
}

/** Time of the day where the reader is: `13:05:12.034`. */
export function clockText(atMs: number, withMilliseconds = false): string {
  const at = new Date(atMs);
  const text = `${twoDigits(at.getHours())}:${twoDigits(at.getMinutes())}:${twoDigits(at.getSeconds())}`;
  return withMilliseconds ? `${text}.${at.getMilliseconds().toString().padStart(3, '0')}` : text;
}

/** `2026-11-21 13:05:12`, where the reader is. */
export function dateTimeText(atMs: number): string {
  const at = new Date(atMs);
  return `${at.getFullYear()}-${twoDigits(at.getMonth() + 1)}-${twoDigits(at.getDate())} ${clockText(atMs)}`;
}

/** When something was, as short as it can be told: the time of the day, with milliseconds if that was today, else with the date. */
export function momentText(atMs: number, nowMs: number): string {
  const at = new Date(atMs);
  const isToday = at.toDateString() === new Date(nowMs).toDateString();
  return isToday ? clockText(atMs, true) : `${twoDigits(at.getMonth() + 1)}-${twoDigits(at.getDate())} ${clockText(atMs)}`;
}

function twoDigits(value: number): string {
  return value.toString().padStart(2, '0');
}
