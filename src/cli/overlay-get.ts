import { InputError } from '../base/errors.ts';
import { nearestName } from '../base/nearest-name.ts';
import { overlayKinds } from '../overlay/resources/resources.ts';
import type { Command } from './command.ts';
import { printResult } from './output.ts';
import { nameCell, originCell, problemCell } from './overlay-resource-status.ts';
import { overlayResources, overlaySocketOption } from './overlay-session.ts';
import { formatTable } from './table.ts';

export const command: Command = {
  parameters: [{ name: 'KIND', meaning: 'only this kind, such as VPC', optional: true }],
  options: overlaySocketOption,
  description: 'All resources of the overlay, of all hosts and of configurations. As YAML they can be given to "van overlay apply".',
  examples: [
    { line: 'van overlay get', meaning: 'What there is' },
    { line: 'van overlay get subnet -o yaml', meaning: 'All subnets, as a file' },
  ],
  async run(call) {
    const asked = call.optionalParameter('KIND');
    const kind = overlayKinds.find((known) => known.toLowerCase() === asked?.toLowerCase());
    if (asked !== undefined && kind === undefined) {
      const near = nearestName(asked, overlayKinds);
      throw new InputError('unknown-kind', 'KIND', `'${asked}' is no kind${near === undefined ? '' : `; did you mean ${near}?`}`, {
        remedy: `kinds are ${overlayKinds.join(', ')}`,
      });
    }
    const order = (of: string, name: string): string => `${overlayKinds.findIndex((known) => known === of)} ${name}`;
    const reports = (await overlayResources(call))
      .filter((report) => kind === undefined || report.kind === kind)
      .toSorted((a, b) => (order(a.kind, a.metadata.name) < order(b.kind, b.metadata.name) ? -1 : 1));
    if (call.output === 'yaml') {
      const { stringify } = await import('yaml');
      for (const report of reports) call.shell.writeOut(`---\n${stringify(report, { lineWidth: 0 })}`);
      return 0;
    }
    await printResult(call, reports, () => {
      if (reports.length === 0) return 'There are no resources.\n';
      return formatTable(
        ['KIND', 'NAME', 'FROM', 'PROBLEM'],
        reports.map((report) => [report.kind, nameCell({ report }), originCell({ report }), problemCell({ report })]),
      );
    });
    return 0;
  },
};
