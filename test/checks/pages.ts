import { formatReport } from '../../src/cli/health-text.ts';
import { healthCategories, healthCodeNames, healthCodes, type HealthCode } from '../../src/site/health-codes.ts';
import { checkReport, stoppedReport, type CheckProblem, type CheckReport } from '../../src/site/health-report.ts';
import { judgeHealth } from '../../src/site/health-rules.ts';
import { examples, wellSite } from './examples.ts';

/** The pages about checks: all they say comes from the table of codes, and from what `van check` prints about an example. */

const everyCode: ReadonlySet<HealthCode> = new Set(healthCodeNames);

/** The report about the example of a code. */
export function exampleReport(code: HealthCode): CheckReport {
  if (code === 'site-not-running') {
    return stoppedReport('east', 'east', { text: "the site of namespace 'east' is not running", remedy: 'van -n east site start' });
  }
  const warnings = judgeHealth({ ...wellSite, ...examples[code] });
  // What there is nothing to check for in so small an example is not to be told.
  return checkReport({ namespace: 'east', site: 'east', warnings, skipped: everyCode });
}

export function exampleProblem(code: HealthCode): CheckProblem {
  const checks = exampleReport(code).categories.flatMap((category) => category.checks);
  const problem = checks.find((check) => check.code === code)?.problems[0];
  if (problem === undefined || problem.causedBy !== null) throw new Error(`the example of ${code} does not show it`);
  return problem;
}

const severityTexts = {
  error: 'an error: something does not work now',
  warning: 'a warning: it will not work, or is not as safe as it should be',
  info: 'good to know',
} as const;

export function pageOf(code: HealthCode): string {
  const { category, severity, expected, title, meaning, cure, dependsOn, dependsOnSame } = healthCodes[code];
  const shown = formatReport(exampleReport(code), true);
  // Of the whole report the part about this check, without the sum at its end.
  const example = shown.slice(0, shown.lastIndexOf('\nStatus check results')).trimEnd();
  const follows = [
    ...(dependsOn.length === 0 ? [] : [`- in any case from ${links(dependsOn)}`]),
    ...(dependsOnSame.length === 0 ? [] : [`- from ${links(dependsOnSame)}, when both are about the same link, router or address`]),
  ];
  const causes = follows.length === 0 ? '' : `\n## What it may follow from\n\nMend these first.\n\n${follows.join('\n')}\n`;
  return `# ${expected}

\`${code}\` · ${category} · ${severityTexts[severity]}

**${title}.** ${meaning}

## What \`van check\` shows

\`\`\`
$ van -n east check -o short
${example}
\`\`\`

## What to do

${cure}

\`van check\` suggests: ${exampleProblem(code).remedy}.

## When it is mended

\`\`\`
$ van -n east check
√ ${expected}
\`\`\`
${causes}
[All checks](../checks.md)
`;
}

function links(codes: readonly HealthCode[]): string {
  return codes.map((code) => `[${code}](${code}.md)`).join(', ');
}

const introduction = `# Checks

\`van check\` goes through everything that can be wrong with a site, in the groups below, and ends with exit code 1 if something does not work. \`van site
status\` and \`van network status\` show the same problems as warnings. Every check has a code, by which programs know it (\`-o json\`), and a page with
what it means, what is shown, and what to do.

A problem that follows from another one is shown as its consequence (\`↳\`), not as a problem of its own: mend the cause first.

| mark | | exit code |
|---|---|---|
| √ | as it should be | 0 |
| × | an error: something does not work now | 1 |
| ‼ | a warning: it will not work, or is not as safe as it should be | 0 |
| ℹ | good to know | 0 |
| ↳ | follows from another problem | that of the other |
| - | there is nothing to check, or it could not be checked | 0 |

Some checks try things out that only this moment can tell. \`van check\` opens a TCP connection to each link endpoint and to the server of each connector of the
site, and closes it again; and it asks the router at the other end of each link what it sees of the link, so that both ends are looked at. A router answers
that to its neighbours alone, about their own links.

\`van check --wait 60s\` checks again until all is well. \`-o short\` shows problems only, \`-o json\` all of it for programs.
`;

export function indexPage(): string {
  const parts = healthCategories.map((category) => {
    const rows = healthCodeNames
      .filter((code) => healthCodes[code].category === category)
      .map((code) => `| [${healthCodes[code].expected}](checks/${code}.md) | \`${code}\` | ${healthCodes[code].severity} |`);
    return `## ${category}\n\n| what should be so | code | otherwise |\n|---|---|---|\n${rows.join('\n')}\n`;
  });
  const origin =
    'These pages are written from the table in `src/site/health-codes.ts` and what `van check` prints: `UPDATE_PAGES=1 node --test test/checks/pages.test.ts`.';
  return `${introduction}\n${parts.join('\n')}\n${origin}\n`;
}
