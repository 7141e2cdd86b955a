import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { WeatherError } from '../base/errors.ts';
import { writeFileAtomic } from '../host/atomic-file.ts';
import { askObserver } from '../observer/web-control-client.ts';
import type { Command } from './command.ts';
import { printResult } from './output.ts';
import { SiteSession } from './site-session.ts';

const pollMs = 200;

export const command: Command = {
  parameters: [],
  options: { open: { meaning: 'opens the link in a browser of this host' } },
  description:
    'Needs an observer: van observe, or a site that was created with --enable-observer. The link logs one browser in, once, within a minute.\n' +
    'On a host without a browser, forward the port with ssh -L and open the link where the browser is.',
  examples: [
    { line: 'van console', meaning: 'Prints a link to open in a browser' },
    { line: 'van -n east console --open', meaning: 'Opens the console of the network of site east' },
  ],
  async run(call) {
    const session = new SiteSession(call);
    const link = await askForLink(session, call.timeoutMs);
    if (call.flag('open')) await openBrowser(link.url, session.layout.observerFolder, (text) => call.shell.writeError(text));
    await printResult(call, link, () => `${link.url}\n`);
    return 0;
  },
};

interface LoginLink {
  readonly url: string;
  /** Milliseconds since the epoch. */
  readonly expiresMs: number;
}

/** Waits for an observer that the site is just starting. */
async function askForLink(session: SiteSession, timeoutMs: number): Promise<LoginLink> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await askObserver<LoginLink>(session.layout.observerSocket, 'POST', '/control/login-link', timeoutMs);
    } catch (error) {
      const isMissing = error instanceof WeatherError && error.code === 'no-observer';
      if (!isMissing || performance.now() > endMs || !(await runsObserver(session))) throw error;
    }
    await sleep(pollMs);
  }
}

/** Whether the site runs and has been told to run an observer. Throws WeatherError `no-site`. */
async function runsObserver(session: SiteSession): Promise<boolean> {
  const report = await session.report();
  const site = report?.resources.find(({ kind }) => kind === 'Site');
  return (site?.spec['settings'] as Readonly<Record<string, unknown>> | undefined)?.['observer'] === 'enabled';
}

/**
 * By a page that leads on: the arguments of a process can be read by every user of the host, a file of mode 0600 cannot. The browser
 * goes on by itself when the command has ended.
 */
async function openBrowser(url: string, folder: string, say: (text: string) => void): Promise<void> {
  const page = `${folder}/open-console.html`;
  await writeFileAtomic(page, `<!doctype html><meta http-equiv="refresh" content="0; url=${url}"><title>Console</title>\n`);
  const program = process.platform === 'darwin' ? 'open' : 'xdg-open';
  const child = spawn(program, [page], { stdio: 'ignore', detached: true });
  child.once('error', () => say(`${program} is not there: open the link yourself\n`));
  child.unref();
}
