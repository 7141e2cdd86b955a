import type { AuditRecord } from '../host/audit-log.ts';
import { readAudit } from '../host/audit-reader.ts';
import type { Command } from './command.ts';
import { parseDurationMs } from './option-values.ts';
import { printableLine } from './printable.ts';
import { SiteSession, noSite } from './site-session.ts';

export const command: Command = {
  parameters: [],
  options: {
    since: { value: 'DURATION', meaning: 'only events of the last time, such as 10m or 24h' },
    follow: { short: 'f', meaning: 'goes on with events to come, until it is interrupted' },
  },
  description:
    'Who was let in, who was refused, what was changed and revoked: one line per event, also of a site that does not run. The same event again\n' +
    'within a minute is counted and told once. A gap in the numbers is an event that could not be written. With -o json each line is a document\n' +
    'of its own.',
  examples: [
    { line: 'van site audit --since 24h', meaning: 'What happened since yesterday' },
    { line: 'van site audit --follow -o json', meaning: 'Hand events to another program as they come' },
  ],
  async run(call) {
    const session = new SiteSession(call);
    if (!(await session.exists())) throw noSite(call);
    const since = call.text('since');
    const sinceMs = since === undefined ? -Infinity : Date.now() - parseDurationMs(since, '--since');
    const isJson = call.output === 'json';
    const ending = new AbortController();
    const stop = (): void => ending.abort();
    process.once('SIGINT', stop);
    process.once('SIGTERM', stop);
    try {
      const follow = call.flag('follow') ? { follow: ending.signal } : {};
      for await (const record of readAudit({ path: session.layout.auditFile, sinceMs, ...follow })) {
        call.shell.writeOut(isJson ? `${JSON.stringify(record)}\n` : `${formatRecord(record)}\n`);
      }
    } finally {
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
    }
    return 0;
  },
};

function formatRecord({ sequence, time, event, fields, repeated, since }: AuditRecord): string {
  const details = Object.entries(fields).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  const again = repeated === undefined ? [] : [`(${repeated} more since ${since ?? 'then'})`];
  return printableLine([`${sequence}`.padStart(6), time, event, ...details, ...again].join(' '));
}
