import { askObserver } from '../observer/web-control-client.ts';
import type { Command } from './command.ts';
import { printDone, printResult } from './output.ts';
import { SiteSession } from './site-session.ts';
import { formatTable } from './table.ts';

export const command: Command = {
  parameters: [],
  options: {
    end: { meaning: 'ends them' },
    user: { value: 'NAME', meaning: 'only those of one user, with --end' },
  },
  description: '',
  examples: [
    { line: 'van console sessions', meaning: 'Which browsers are logged in' },
    { line: 'van console sessions --end', meaning: 'Logs all of them out' },
    { line: 'van console sessions --end --user ada', meaning: 'Logs ada out' },
  ],
  async run(call) {
    const { observerSocket } = new SiteSession(call).layout;
    if (call.flag('end')) {
      const user = call.text('user');
      const query = user === undefined ? '' : `?${new URLSearchParams({ user }).toString()}`;
      const { ended } = await askObserver<{ ended: number }>(observerSocket, 'POST', `/control/end-sessions${query}`, call.timeoutMs);
      await printDone(call, `${ended} ${ended === 1 ? 'session' : 'sessions'} ended.`, { ended });
      return 0;
    }
    const data = await askObserver<{ sessions: readonly SessionRow[] }>(observerSocket, 'GET', '/control/sessions', call.timeoutMs);
    await printResult(call, data, () => {
      if (data.sessions.length === 0) return 'Nobody is logged in. A link to log in with is printed by: van console\n';
      const rows = data.sessions.map(({ user, remoteAddress, openedMs, usedMs, expiresMs }) => [
        user,
        remoteAddress,
        timeText(openedMs),
        timeText(usedMs),
        timeText(expiresMs),
      ]);
      return formatTable(['USER', 'FROM', 'SINCE', 'LAST USED', 'UNTIL'], rows);
    });
    return 0;
  },
};

interface SessionRow {
  readonly user: string;
  readonly remoteAddress: string;
  readonly openedMs: number;
  readonly usedMs: number;
  readonly expiresMs: number;
}

function timeText(wallMs: number): string {
  return new Date(wallMs).toISOString().replace(/\.\d+Z$/, 'Z');
}
