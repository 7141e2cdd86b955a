import { setTimeout as sleep } from 'node:timers/promises';
import { WeatherError } from '../base/errors.ts';
import { stoppedReport, type CheckReport } from '../site/health-report.ts';
import type { Call } from './call.ts';
import type { Command } from './command.ts';
import { formatReport } from './health-text.ts';
import { parseChoice, parseDurationMs } from './option-values.ts';
import { printResult } from './output.ts';
import { SiteSession } from './site-session.ts';

const formats = ['table', 'short', 'json', 'yaml'] as const;
/** Between two checks while waiting. Each opens a connection to every link endpoint and server. */
const pauseMs = 1000;

export const command: Command = {
  parameters: [],
  options: {
    output: { short: 'o', value: 'FORMAT', meaning: 'table, short (problems only), json or yaml', default: 'table' },
    wait: { value: 'DURATION', meaning: 'check again until all is well, for at most this long, such as 60s' },
  },
  description:
    'Goes through the site, its clock, trust, certificates, links and services, and says for everything that is wrong what was seen and what to type\n' +
    'next. What follows from another problem is shown as its consequence. It opens a connection to each link endpoint and to the server of\n' +
    'each connector, and closes it again. The exit code is 1 when something does not work; warnings alone leave it 0.',
  examples: [
    { line: 'van check', meaning: 'Is all well here?' },
    { line: 'van check -o short', meaning: 'Only what is not' },
    { line: 'van -n east check --wait 60s', meaning: 'Wait until a new site is in order' },
  ],
  async run(call) {
    const format = parseChoice(call.text('output') ?? 'table', '--output', formats);
    const wait = call.text('wait');
    const deadlineMs = performance.now() + (wait === undefined ? 0 : parseDurationMs(wait, '--wait'));
    let report = await checkOnce(call);
    while (!report.success && performance.now() < deadlineMs) {
      call.shell.writeError(`${failedCount(report)} not as it should be yet; checking again\n`);
      await sleep(Math.min(pauseMs, Math.max(1, deadlineMs - performance.now())));
      report = await checkOnce(call);
    }
    if (format === 'short' || format === 'table') call.shell.writeOut(formatReport(report, format === 'short'));
    else await printResult(call, report, () => '');
    return report.success ? 0 : 1;
  },
};

/** The report of the site; without a process that answers, a report that says so. */
async function checkOnce(call: Call): Promise<CheckReport> {
  const session = new SiteSession(call);
  try {
    return await session.ask<CheckReport>('CHECK', {});
  } catch (error) {
    if (!(error instanceof WeatherError) || !['no-site', 'site-not-running'].includes(error.code)) throw error;
    const name = error.code === 'no-site' ? null : await nameOf(session);
    return stoppedReport(call.namespace, name, { text: error.message, remedy: error.remedy?.replace(/^\w+ (?:it|one): /, '') ?? '' });
  }
}

async function nameOf(session: SiteSession): Promise<string | null> {
  const { resources } = await session.resources();
  return resources.find(({ kind }) => kind === 'Site')?.metadata.name ?? null;
}

function failedCount({ categories }: CheckReport): string {
  const count = categories.flatMap(({ checks }) => checks).filter(({ result }) => result === 'error').length;
  return `${count} ${count === 1 ? 'check is' : 'checks are'}`;
}
