import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exchangeRaw, post, runIssuer } from '../../../src/host/redemption-fixtures.test.ts';
import { joinDirectly, newSites, openLinkPort } from '../../../src/host/trust-fixtures.test.ts';
import { TrustStore } from '../../../src/host/trust-store.ts';
import type { Measured, Row, RowContext } from '../row.ts';

const parallel = 200;
const rounds = { full: 1000, fast: 12 };
/** Each starts two processes that are killed, or not. */
const killRounds = { full: 100, fast: 4 };
/** The window in which an issuer is killed: from the request's arrival to well after its answer. */
const killWindowMs = 60;
/** Tokens of an issuer are kept; a new issuer is made after so many rounds. */
const roundsPerIssuer = 250;

interface Races {
  readonly rounds: number;
  /** Rounds in which not exactly one of the parallel redemptions succeeded. */
  readonly wrong: number;
  /** Redemptions of the same tokens that another issuer of the network let through. */
  readonly elsewhere: number;
}

/** Redeems each token with many connections at once, and tries the same token at a second issuer. */
async function race(context: RowContext, count: number): Promise<Races> {
  let [wrong, elsewhere] = [0, 0];
  for (let done = 0; done < count;) {
    await using sites = await newSites();
    const [aws, azure, laptop] = [await sites.open('aws'), await sites.open('azure'), await sites.open('laptop')];
    await aws.foundNetwork('aws', []);
    await joinDirectly(aws, azure, await aws.issueToken({ host: 'x', port: 1 }, { issuer: true }), 'azure');
    await using port = await openLinkPort(aws);
    for (const end = Math.min(count, done + roundsPerIssuer); done < end; done++) {
      context.signal.throwIfAborted();
      const token = await aws.issueToken(port, {});
      const { request } = await laptop.beginRedemption(token, 'laptop', []);
      const text = post(`/redeem/${token.grantId}`, JSON.stringify(request));
      const answers = await Promise.all(Array.from({ length: parallel }, () => exchangeRaw(port, text)));
      const admitted = answers.filter((answer) => answer.startsWith('HTTP/1.1 200 ')).length;
      const uses = aws.grants.find(({ id }) => id === token.grantId)?.redemptions.length;
      if (admitted !== 1 || uses !== 1) wrong++;
      if ((await azure.redeem(token.grantId, request, '192.0.2.1')).outcome === 'admitted') elsewhere++;
    }
  }
  return { rounds: count, wrong, elsewhere };
}

/** Kills the issuer at a moment of the redemption, restarts it and redeems again: at most one answer, and the use is on record. */
async function raceWithKills(context: RowContext, count: number): Promise<{ readonly doubled: number; readonly unrecorded: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'caravan-race-'));
  let [doubled, unrecorded] = [0, 0];
  try {
    await using sites = await newSites();
    const path = join(folder, 'issuer');
    const issuer = await TrustStore.open(path, sites.options);
    await issuer.foundNetwork('aws', []);
    const tokens = [];
    for (let round = 0; round < count; round++) tokens.push(await issuer.issueToken({ host: 'x', port: 1 }, {}));
    await issuer[Symbol.asyncDispose]();
    const laptop = await sites.open('laptop');
    for (const [round, token] of tokens.entries()) {
      context.signal.throwIfAborted();
      const { request } = await laptop.beginRedemption(token, 'laptop', []);
      const killAfterMs = (round * killWindowMs) / count;
      const answers = [await runIssuer(path, request, token.grantId, 0, killAfterMs), await runIssuer(path, request, token.grantId, 0)];
      if (answers.filter((answer) => answer.includes('"admitted"')).length > 1) doubled++;
      await using again = await TrustStore.open(path, sites.options);
      if (again.grants.find(({ id }) => id === token.grantId)?.redemptions.length !== 1) unrecorded++;
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return { doubled, unrecorded };
}

async function run(context: RowContext): Promise<Measured> {
  const races = await race(context, context.fast ? rounds.fast : rounds.full);
  const kills = context.fast ? killRounds.fast : killRounds.full;
  const { doubled, unrecorded } = await raceWithKills(context, kills);
  return {
    figures: [
      { name: 'rounds without exactly one success', value: races.wrong, unit: '', floor: 0 },
      { name: 'tokens that another issuer redeemed', value: races.elsewhere, unit: '', floor: 0 },
      { name: 'tokens redeemed twice when the issuer was killed', value: doubled, unit: '', floor: 0 },
      { name: 'uses that are not on record after a kill', value: unrecorded, unit: '', floor: 0 },
    ],
    detail: { rounds: races.rounds, parallel, kills },
  };
}

export const tokenRace: Row = {
  id: 'S3',
  title: `${parallel} redemptions of one token at a time; the issuer killed meanwhile; a second issuer`,
  floor: 'exactly one success each',
  goal: 'the same with SIGKILL in the window, 1,000 rounds',
  fast: true,
  shortened: '12 rounds, 4 with SIGKILL',
  limitSeconds: { full: 1800, fast: 60 },
  missing: () => undefined,
  run,
};
