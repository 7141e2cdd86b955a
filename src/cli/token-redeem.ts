import { maxTokenBytes, parseAccessToken } from '../pki/access-token.ts';
import { decodeOnePem } from '../pki/pem.ts';
import type { RedeemedLink } from '../supervisor/site-supervisor.ts';
import type { Call } from './call.ts';
import type { Command } from './command.ts';
import { parseInteger } from './option-values.ts';
import { printDone } from './output.ts';
import { printableLine } from './printable.ts';
import { readTextFile } from './read-text-file.ts';
import { SiteSession } from './site-session.ts';
import { waitForResources } from './wait-for-resources.ts';

/** The token says which addresses the site may use: what it has beyond them is said now, not only in status. */
async function tellUngranted(call: Call, session: SiteSession): Promise<void> {
  const { resources } = await session.resources();
  for (const { kind, metadata, status } of resources) {
    if (status?.message.startsWith('not granted') !== true) continue;
    call.shell.writeError(`${kind} "${metadata.name}" has no effect: ${printableLine(status.message)}\n`);
  }
}

export const command: Command = {
  parameters: [{ name: 'FILE', meaning: 'token file of another site; - for standard input' }],
  options: {
    cost: { value: 'N', meaning: 'cost of the link for routing (default: what the token says)' },
    name: { value: 'NAME', meaning: 'name of the link (default: that of the token)' },
  },
  description:
    'The site joins the network of the one that issued the token and links to it. A site that is in that network already just gets one\n' +
    'more link. The file is left as it is.',
  examples: [
    { line: 'van token redeem token.yaml', meaning: 'Link to the site that issued the token, and wait until the link is up' },
    { line: 'van token redeem token.yaml --cost 5', meaning: 'With a cost of your own' },
    { line: 'ssh west van token issue - | van token redeem -', meaning: 'Without a file' },
  ],
  async run(call) {
    const file = call.parameter('FILE');
    const cost = call.text('cost');
    const linkCost = cost === undefined ? undefined : parseInteger(cost, '--cost', 1, 9999);
    const name = call.text('name');
    const level = call.waitLevel('ready');
    const where = file === '-' ? 'standard input' : file;
    const text = await readTextFile(call, file, maxTokenBytes);
    // Read here, so that errors name the file; the site reads it again.
    const token = parseAccessToken(text, where);
    decodeOnePem('CERTIFICATE', token.ca, `${where}: spec.ca`);
    const session = new SiteSession(call);
    const { link } = await session.ask<RedeemedLink>('REDEEM-TOKEN', {
      token: text,
      where,
      ...(linkCost === undefined ? {} : { linkCost }),
      ...(name === undefined ? {} : { name }),
    });
    if (level !== 'none') await waitForResources(call, session, [{ kind: 'Link', name: link }], level);
    await tellUngranted(call, session);
    const state = level === 'ready' ? ' and up' : '';
    await printDone(call, `Token "${token.name}" has been redeemed. Link "${link}" to ${token.host}:${token.port} is made${state}.`, {
      link,
      host: token.host,
      port: token.port,
    });
    return 0;
  },
};
