import type { StaticLink } from '../supervisor/static-link.ts';
import type { Command } from './command.ts';
import { parseInteger } from './option-values.ts';
import { SiteSession, type SiteReport } from './site-session.ts';

export const command: Command = {
  parameters: [{ name: 'NAME', meaning: 'name of the link to be and of the site that uses it (default: to-SITE)', optional: true }],
  options: { cost: { value: 'N', meaning: 'cost of the link for routing', default: '1' } },
  description:
    'What it prints holds a private key and works until its certificate expires, as often as it is used: carry it as you would a\n' +
    'password. A token (van token issue) is safer where the sites can reach each other when the link is made.',
  examples: [{ line: 'van link generate > link.yaml', meaning: 'Write the link; at the other site: van apply -f link.yaml' }],
  async run(call) {
    const cost = parseInteger(call.text('cost') ?? '1', '--cost', 1, 9999);
    const session = new SiteSession(call);
    const name = call.optionalParameter('NAME') ?? `to-${(await session.ask<SiteReport>('STATUS', {})).site.name}`;
    const { link } = await session.ask<StaticLink>('GENERATE-LINK', { name, cost });
    if (call.output === 'json') {
      const { parseAllDocuments } = await import('yaml');
      const items = parseAllDocuments(link).map((document) => document.toJS() as unknown);
      call.shell.writeOut(`${JSON.stringify(items, undefined, 2)}\n`);
    } else call.shell.writeOut(link);
    return 0;
  },
};
