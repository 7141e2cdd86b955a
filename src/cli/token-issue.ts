import { randomInt } from 'node:crypto';
import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import { InputError } from '../base/errors.ts';
import { writeFileAtomic } from '../host/atomic-file.ts';
import type { IssuedToken } from '../supervisor/site-supervisor.ts';
import type { Call } from './call.ts';
import type { Command } from './command.ts';
import { parseDurationMs, parseInteger, parsePatterns } from './option-values.ts';
import { printDone } from './output.ts';
import { patternText } from './printable.ts';
import { SiteSession, type SiteReport } from './site-session.ts';

const nameLengthLimit = 63;
/** Enough to tell the tokens of one site from each other. */
const suffixLength = 4;

export const command: Command = {
  parameters: [{ name: 'FILE', meaning: 'where to write the token; - for standard output' }],
  options: {
    'redemptions-allowed': { value: 'N', meaning: 'how many sites may use it', default: '1' },
    'expiration-window': { value: 'DURATION', meaning: 'how long it can be used', default: '15m' },
    cost: { value: 'N', meaning: 'cost of the link for routing', default: '1' },
    advertise: { value: 'PATTERNS', meaning: 'addresses that the other site may offer, with commas; "" for none', default: '*' },
    consume: { value: 'PATTERNS', meaning: 'addresses that it may use, with commas; "" for none', default: '*' },
    issuer: { meaning: 'the site that redeems it may issue tokens of this network itself' },
    name: { value: 'NAME', meaning: 'name of the token, and of the link made with it (default: made of the name of the site)' },
    force: { short: 'f', meaning: 'replaces FILE when it exists' },
  },
  description:
    'The site must accept links (site create --enable-link-access). The first token that a site issues founds its network, unless it\n' +
    'belongs to one. Whoever has the file can join until it is used up: carry it as you would a password.',
  examples: [
    { line: 'van token issue token.yaml', meaning: 'For one site, within 15 minutes' },
    { line: 'van token issue fleet.yaml --redemptions-allowed 20 --expiration-window 8h', meaning: 'For twenty sites, today' },
    { line: 'van token issue hub.yaml --issuer', meaning: 'For a site that others will join through' },
    {
      line: "van token issue db.yaml --advertise 'db.*' --consume metrics",
      meaning: 'For a site that offers databases and uses one service',
    },
    { line: 'van token issue backup.yaml --cost 10', meaning: 'For a link that is used when others are not there or busy' },
  ],
  async run(call) {
    const file = call.parameter('FILE');
    const redemptionsAllowed = parseInteger(call.text('redemptions-allowed') ?? '1', '--redemptions-allowed', 1, 10_000);
    const window = call.text('expiration-window') ?? '15m';
    const expirationWindowMs = parseDurationMs(window, '--expiration-window');
    const linkCost = parseInteger(call.text('cost') ?? '1', '--cost', 1, 9999);
    const advertise = parsePatterns(call.text('advertise') ?? '*', '--advertise');
    const consume = parsePatterns(call.text('consume') ?? '*', '--consume');
    if (file !== '-' && !call.flag('force')) await refuseExisting(file);
    const options = { redemptionsAllowed, expirationWindowMs, linkCost, issuer: call.flag('issuer'), advertise, consume };
    const session = new SiteSession(call);
    const name = call.text('name') ?? (await newName(session));
    const { token } = await session.ask<IssuedToken>('ISSUE-TOKEN', { ...options, name });
    if (file === '-') {
      call.shell.writeOut(token);
      return 0;
    }
    await writeFileAtomic(resolve(file), token);
    await printIssued(call, file, { redemptionsAllowed, expirationWindow: window, advertise, consume });
    return 0;
  },
};

/** Named after this site, as the link made with it will be: that is what the other side wants to see. */
async function newName(session: SiteSession): Promise<string> {
  const { site } = await session.ask<SiteReport>('STATUS', {});
  const suffix = Array.from({ length: suffixLength }, () => randomInt(36).toString(36)).join('');
  return `${site.name.slice(0, nameLengthLimit - suffixLength - 1)}-${suffix}`;
}

interface IssuedOptions {
  readonly redemptionsAllowed: number;
  readonly expirationWindow: string;
  readonly advertise: readonly string[];
  readonly consume: readonly string[];
}

async function printIssued(call: Call, file: string, options: IssuedOptions): Promise<void> {
  const { redemptionsAllowed, expirationWindow, advertise, consume } = options;
  const uses = redemptionsAllowed === 1 ? 'once' : `${redemptionsAllowed} times`;
  await printDone(
    call,
    `Token file ${file} is written. It can be used ${uses}, within ${expirationWindow}.\n` +
      limitText(advertise, consume) +
      `Carry it to the other site and type there:  van token redeem ${file}`,
    { file: resolve(file), ...options },
  );
}

/** Said only where the token gives less than everything. */
function limitText(advertise: readonly string[], consume: readonly string[]): string {
  if (advertise.includes('*') && consume.includes('*')) return '';
  return `The other site may offer ${patternText(advertise)} and use ${patternText(consume)}.\n`;
}

/** Asked before a token is issued, so that none is issued in vain. */
async function refuseExisting(file: string): Promise<void> {
  const exists = await access(file).then(
    () => true,
    () => false,
  );
  if (exists) throw new InputError('file-exists', file, 'exists already', { remedy: 'choose another file, or replace it with --force' });
}
