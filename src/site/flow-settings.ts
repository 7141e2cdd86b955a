import { SchemaProblem, type Path } from '../management/schema.ts';

/** The setting of a Site that says how many requests and connections its router records one by one, per second. */
export const flowDetailRateSetting = 'flow-detail-rate';
/** Each costs some hundred octets on the way to every observer, and a row in its history. */
const mostPerSecond = 10_000;

/** What the settings of a Site say of it; undefined when they do not. Throws SchemaProblem. */
export function flowDetailRate(settings: Readonly<Record<string, string>>, path: Path): number | undefined {
  const text = Object.hasOwn(settings, flowDetailRateSetting) ? settings[flowDetailRateSetting] : undefined;
  if (text === undefined) return undefined;
  const rate = /^\d{1,6}$/.test(text) ? Number(text) : Infinity;
  if (rate <= mostPerSecond) return rate;
  throw new SchemaProblem('invalid', [...path, flowDetailRateSetting], `must be a number from 0 to ${mostPerSecond}; 250 when absent`);
}
