import { parseAccessToken, formatAccessToken } from '../../../src/pki/access-token.ts';
import type { AccessToken } from '../../../src/pki/access-token.ts';
import { decodeOnePem } from '../../../src/pki/pem.ts';
import { maxRequestBytes } from '../../../src/pki/redemption-protocol.ts';
import { exchangeRaw, post } from '../../../src/host/redemption-fixtures.test.ts';
import { newSites, openLinkPort } from '../../../src/host/trust-fixtures.test.ts';
import type { Sites } from '../../../src/host/trust-fixtures.test.ts';
import type { TrustStore } from '../../../src/host/trust-store.ts';
import { WeatherError } from '../../../src/base/errors.ts';
import type { Measured, Row, RowContext } from '../row.ts';

const samples = { full: 100_000, fast: 6000 };
const guesses = 40;
const minuteMs = 60_000;
/** The slowest samples are the machine's, not the code's. */
const keptShare = 0.9;

interface Issuer {
  readonly sites: Sites;
  readonly aws: TrustStore;
  readonly laptop: TrustStore;
}

/** Redeems in memory; true when the issuer admits and the redeemer believes the answer. */
async function redeems(issuer: TrustStore, joiner: TrustStore, token: AccessToken): Promise<boolean> {
  try {
    const pending = await joiner.beginRedemption(token, 'joiner', []);
    const result = await issuer.redeem(token.grantId, pending.request, '192.0.2.1');
    if (result.outcome !== 'admitted') return false;
    await joiner.adopt(pending, result.admission);
    return true;
  } catch (error) {
    if (error instanceof WeatherError) return false;
    throw error;
  }
}

/** Every octet of the token file changed in turn. What means something else must not be accepted. */
async function tampered(context: RowContext, { sites, aws }: Issuer): Promise<{ readonly tried: number; readonly accepted: string[] }> {
  const token = await aws.issueToken({ host: 'issuer.example', port: 55_671 }, { redemptions: 1000 });
  const root = decodeOnePem('CERTIFICATE', token.ca, 'ca');
  const text = Buffer.from(formatAccessToken(token));
  const accepted: string[] = [];
  let tried = 0;
  for (let at = 0; at < text.length; at++) {
    if (at % 50 === 0) context.signal.throwIfAborted();
    const altered = Buffer.from(text);
    altered[at] ^= 1;
    tried++;
    let read: AccessToken;
    let readRoot: Uint8Array;
    try {
      read = parseAccessToken(altered.toString(), 'altered');
      readRoot = decodeOnePem('CERTIFICATE', read.ca, 'ca');
    } catch (error) {
      if (error instanceof WeatherError) continue;
      throw error;
    }
    // A name or a place to connect to proves nothing: what is there is checked against the root.
    if (read.grantId === token.grantId && read.code === token.code && Buffer.from(readRoot).equals(root)) continue;
    const joiner = await sites.open(`altered-${at}`);
    if (await redeems(aws, joiner, read)) accepted.push(`octet ${at}`);
    await joiner[Symbol.asyncDispose]();
  }
  return { tried, accepted };
}

/** Tokens that have ended, in every way. */
async function ended({ sites, aws }: Issuer): Promise<string[]> {
  const accepted: string[] = [];
  const endpoint = { host: 'x', port: 1 };
  const tryIt = async (name: string, issuer: TrustStore, token: AccessToken): Promise<void> => {
    if (await redeems(issuer, await sites.open(name), token)) accepted.push(name);
  };
  const short = await aws.issueToken(endpoint, { expirationWindowMs: minuteMs });
  sites.offsetMs = 2 * minuteMs;
  await tryIt('expired', aws, short);
  sites.offsetMs = 0;
  await tryIt('clock-set-back', aws, short);
  sites.offsetMs = -24 * 60 * minuteMs;
  await tryIt('clock-set-back-a-day', aws, short);
  sites.offsetMs = 0;
  const revoked = await aws.issueToken(endpoint, {});
  await aws.revokeToken(revoked.grantId);
  await tryIt('revoked', aws, revoked);
  const used = await aws.issueToken(endpoint, {});
  if (!(await redeems(aws, await sites.open('first'), used))) accepted.push('a good token was refused');
  await tryIt('used', aws, used);
  const gcp = await sites.open('gcp');
  await gcp.foundNetwork('gcp', []);
  await tryIt('of-another-network', gcp, await aws.issueToken(endpoint, {}));
  const forGcp = await gcp.issueToken(endpoint, {});
  await tryIt('with-a-foreign-grant', aws, { ...forGcp, ca: used.ca });
  // After a restart the record of uses is read from the disk.
  await aws[Symbol.asyncDispose]();
  const again = await sites.open('aws');
  await tryIt('used-before-a-restart', again, used);
  await tryIt('revoked-before-a-restart', again, revoked);
  await tryIt('expired-before-a-restart', again, short);
  return accepted;
}

/** How many wrong codes are judged in a minute, and whether a body that is too large is read. */
async function guessing(issuer: TrustStore, joiner: TrustStore): Promise<{ readonly judged: number; readonly largeBodies: number }> {
  await using port = await openLinkPort(issuer);
  const token = await issuer.issueToken(port, {});
  const { request } = await joiner.beginRedemption(token, 'laptop', []);
  const large = await exchangeRaw(port, post(`/redeem/${token.grantId}`, 'x'.repeat(maxRequestBytes + 1)));
  let judged = 0;
  for (let guess = 0; guess < guesses; guess++) {
    const body = JSON.stringify({ ...request, code: `${token.code.slice(0, -2)}${String(guess).padStart(2, '0')}` });
    if ((await exchangeRaw(port, post(`/redeem/${token.grantId}`, body))).startsWith('HTTP/1.1 404 ')) judged++;
  }
  return { judged, largeBodies: large.startsWith('HTTP/1.1 413 ') && maxRequestBytes <= 8192 ? 0 : 1 };
}

/** Welch's t of the two classes, without the slowest tenth. Above 4.5 they can be told apart by time. */
function welch(left: readonly number[], right: readonly number[]): number {
  const limit = [...left, ...right].toSorted((a, b) => a - b)[Math.floor((left.length + right.length) * keptShare)];
  const moments = (values: readonly number[]): { mean: number; error: number } => {
    const kept = values.filter((value) => value <= limit);
    const mean = kept.reduce((sum, value) => sum + value, 0) / kept.length;
    const variance = kept.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (kept.length - 1);
    return { mean, error: variance / kept.length };
  };
  const [a, b] = [moments(left), moments(right)];
  return Math.abs(a.mean - b.mean) / Math.sqrt(a.error + b.error);
}

/** Times of refusals of codes that are wrong from the first character on, and in the last one only; in random order. */
async function timing(context: RowContext, issuer: TrustStore, joiner: TrustStore, count: number): Promise<number> {
  const token = await issuer.issueToken({ host: 'x', port: 1 }, {});
  const { request } = await joiner.beginRedemption(token, 'laptop', []);
  const turned = (text: string, at: number): string => text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
  const requests = [0, token.code.length - 1].map((at) => ({ ...request, code: turned(token.code, at) }));
  const times: [number[], number[]] = [[], []];
  for (let sample = 0; sample < count; sample++) {
    if (sample % 1000 === 0) context.signal.throwIfAborted();
    const chosen = Math.random() < 0.5 ? 0 : 1;
    const startNs = process.hrtime.bigint();
    await issuer.redeem(token.grantId, requests[chosen], '192.0.2.1');
    times[chosen].push(Number(process.hrtime.bigint() - startNs));
  }
  return welch(...times);
}

async function run(context: RowContext): Promise<Measured> {
  await using sites = await newSites();
  const [aws, laptop] = [await sites.open('aws'), await sites.open('laptop')];
  await aws.foundNetwork('aws', []);
  const { tried, accepted } = await tampered(context, { sites, aws, laptop });
  const t = await timing(context, aws, laptop, context.fast ? samples.fast : samples.full);
  const { judged, largeBodies } = await guessing(aws, laptop);
  const after = await ended({ sites, aws, laptop });
  return {
    figures: [
      { name: 'tokens accepted that must not be', value: accepted.length + after.length, unit: '', floor: 0 },
      { name: 'guesses judged in a minute from one address', value: judged, unit: '', goal: 10 },
      { name: 'bodies of more than 8 KiB read', value: largeBodies, unit: '', goal: 0 },
      { name: 't of codes wrong at the begin and at the end', value: Math.round(t * 100) / 100, unit: '', goal: 4.5 },
    ],
    detail: { octetsAltered: tried, accepted: [...accepted, ...after], samples: context.fast ? samples.fast : samples.full },
  };
}

export const tokenTricks: Row = {
  id: 'S4',
  title: 'Tokens expired, altered in every octet, replayed after a restart, of another network, under wrong clocks, guessed',
  floor: 'none accepted',
  goal: '|t| of the comparison below 4.5; at most 10 guesses a minute; bodies up to 8 KiB',
  fast: true,
  shortened: '6,000 samples of the time',
  limitSeconds: { full: 400, fast: 60 },
  missing: () => undefined,
  run,
};
