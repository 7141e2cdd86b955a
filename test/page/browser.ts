import { accessSync, constants } from 'node:fs';
import { chromium } from 'playwright-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';

const executablePath = '/usr/bin/chromium';

/** Why pages cannot be tested here; undefined when they can. */
export function missingBrowser(): string | undefined {
  try {
    accessSync(executablePath, constants.X_OK);
    return undefined;
  } catch {
    return `there is no ${executablePath} (Debian package chromium)`;
  }
}

/** Chromium, without a window. Whoever starts it closes it. */
export function startBrowser(): Promise<Browser> {
  // As root, and in containers, Chromium's own sandbox cannot be set up.
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
}

/** A page and everything that its browser complained of: errors in scripts, on its console, and of the content security policy. */
export interface WatchedPage {
  readonly page: Page;
  readonly complaints: string[];
  /** URLs that the page asked for. */
  readonly loaded: string[];
}

export const laptop = { width: 1280, height: 800 };
export const phone = { width: 390, height: 844 };

/** Opens an empty page of a context of its own. */
export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: laptop, reducedMotion: 'reduce', ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const complaints: string[] = [];
  const loaded: string[] = [];
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(`${message.type()}: ${message.text()}`);
  });
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('request', (request) => loaded.push(request.url()));
  await page.exposeFunction('tellViolation', (text: string) => complaints.push(`policy: ${text}`));
  await page.addInitScript({
    content: `document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, sourceFile }) =>
      globalThis.tellViolation(violatedDirective + ' ' + blockedURI + ' ' + sourceFile))`,
  });
  return { page, complaints, loaded };
}
