import type { RevokedSite } from '../supervisor/site-requests.ts';
import type { Command } from './command.ts';
import { printDone } from './output.ts';
import { printableLine } from './printable.ts';
import { SiteSession } from './site-session.ts';

export const command: Command = {
  parameters: [{ name: 'NAME', meaning: 'name of the site, or its router id where several sites have one name' }],
  options: { reason: { value: 'TEXT', meaning: 'why; every site of the network can read it' } },
  description:
    'The other sites end their links with it and believe nothing that it says any more; sites that are away learn of it when they come\n' +
    'back, before anything else. If it admitted others, they go with it. This cannot be taken back: to let the site in again, issue a new\n' +
    'token for it. The founder of the network may revoke every site, another issuer those that it admitted.',
  examples: [
    { line: 'van site revoke laptop', meaning: 'The laptop was lost' },
    { line: 'van site revoke laptop --reason "stolen on 3 May"', meaning: 'Say why' },
    { line: 'van site revoke laptop-k3v9x2ma', meaning: 'Of several sites with the name laptop, this one' },
  ],
  async run(call) {
    const name = call.parameter('NAME');
    const reason = call.text('reason') ?? '';
    const revoked = await new SiteSession(call).ask<RevokedSite>('REVOKE-SITE', { name, reason });
    await printDone(
      call,
      `Site "${printableLine(revoked.name)}" (${printableLine(revoked.routerId)}) is revoked since ${revoked.revokedAt}. Sites that can be reached know it now.`,
      { ...revoked },
    );
    return 0;
  },
};
