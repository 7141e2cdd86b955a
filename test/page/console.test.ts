import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import type { NetworkSnapshot, ServiceRow } from '../../src/flows/network-snapshot.ts';
import { until } from '../e2e/until.ts';
import { laptop, missingBrowser, openPage, phone, startBrowser } from './browser.ts';
import type { WatchedPage } from './browser.ts';
import { fourSites, hostileNames, hostileNetwork, manySites, someHistory, someRequests, someSite, someTrace } from './networks.ts';
import { moveIntoOwnNetwork } from './own-network.ts';
import { TestConsole } from './test-console.ts';

/** The console's pages in a real browser, in front of networks that are made up. With UPDATE_IMAGES=1 their pictures are taken for docs. */

const skip = missingBrowser();
const pageNames = ['topology', 'services', 'live', 'requests', 'sites', 'links', 'warnings', 'access'] as const;
const imageFolder = join(import.meta.dirname, '../../docs/images');
/** More than this is not worth a picture in a repository. */
const imageLimitBytes = 300_000;
/** Those that the documentation shows. */
const keptImages = new Set([
  'topology-laptop-light',
  'topology-laptop-dark',
  'topology-phone-light',
  'topology-200-sites',
  'topology-site',
  'services-open-light',
  'services-phone-dark',
  'flows-dark',
  'live-laptop-dark',
  'request-light',
  'links-laptop-light',
  'warnings-laptop-light',
  'access-laptop-dark',
]);
let browser: Browser;

before(async () => {
  moveIntoOwnNetwork();
  if (skip === undefined) browser = await startBrowser();
});
after(async () => {
  if (skip === undefined) await browser.close();
});

/** A console and a page that is logged in to it. */
class Visit implements AsyncDisposable {
  readonly console: TestConsole;
  readonly watched: WatchedPage;
  readonly #timer: NodeJS.Timeout;

  private constructor(console: TestConsole, watched: WatchedPage) {
    this.console = console;
    this.watched = watched;
    this.#timer = setInterval(() => {
      console.observer.snapshot = { ...console.observer.snapshot, atMs: Date.now() };
      console.observer.tellNetwork();
    }, 2000);
  }

  static async make(snapshot: NetworkSnapshot, options: Parameters<typeof openPage>[1] = {}): Promise<Visit> {
    const console = await TestConsole.open(snapshot);
    console.observer.requests = someRequests(60);
    console.observer.answers.set('/api/v1/history', someHistory());
    console.observer.answers.set('/api/v1/site', someSite());
    for (const { id } of console.observer.requests) console.observer.answers.set(`/api/v1/requests/${id}`, someTrace());
    const watched = await openPage(browser, options);
    const visit = new Visit(console, watched);
    // The first of all builds the pages.
    await watched.page.goto(await console.loginLink(), { timeout: 60_000 });
    await visit.page.locator('[data-site]').first().waitFor();
    return visit;
  }

  get page(): Page {
    return this.watched.page;
  }

  async show(name: string): Promise<void> {
    await this.page.evaluate(`location.hash = '#/${name}'`);
    await this.page.locator('main').waitFor();
    await this.page.waitForTimeout(150);
  }

  /** Nothing was complained of, and nothing came from elsewhere. */
  assertQuiet(): void {
    assert.deepEqual(this.watched.complaints, []);
    const foreign = this.watched.loaded.filter((url) => !url.startsWith(`http://127.0.0.1:${this.console.port}/`));
    assert.deepEqual(foreign, []);
  }

  async image(name: string): Promise<void> {
    if (process.env['UPDATE_IMAGES'] !== '1' || !keptImages.has(name)) return;
    await mkdir(imageFolder, { recursive: true });
    const picture = await this.page.screenshot({ animations: 'disabled' });
    if (picture.length <= imageLimitBytes) await writeFile(join(imageFolder, `console-${name}.png`), picture);
    else await this.page.screenshot({ path: join(imageFolder, `console-${name}.jpg`), type: 'jpeg', quality: 80, animations: 'disabled' });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.page.context().close();
    await this.console[Symbol.asyncDispose]();
  }
}

/** Text of a cell of a table's row. */
async function cell(page: Page, table: string, row: string, column: string): Promise<string> {
  const found = page.getByRole('table', { name: table, exact: true }).locator(`tr[data-row="${row}"] [data-column="${column}"]`);
  return (await found.first().innerText()).trim();
}

describe('the console in Chromium', { skip: skip ?? false }, () => {
  test('login by link: the code leaves the address, works once, and a logout leads back to the login page', async () => {
    await using visit = await Visit.make(fourSites());
    const { page, console, watched } = visit;
    assert.doesNotMatch(page.url(), /code/);
    const [cookie, ...others] = await page.context().cookies();
    assert.deepEqual(others, []);
    assert.match(cookie?.name ?? '', /^__Host-session-/);
    assert.deepEqual([cookie?.secure, cookie?.httpOnly, cookie?.sameSite, cookie?.path], [true, true, 'Strict', '/']);
    assert.equal(await page.evaluate('document.cookie'), '', 'scripts cannot read it');
    const stored = await page.evaluate('JSON.stringify([{ ...localStorage }, { ...sessionStorage }])');
    assert.ok(!String(stored).includes(cookie?.value ?? 'none'));
    visit.assertQuiet();
    await page
      .getByRole('button', { name: /log ?out/i })
      .first()
      .click();
    await page
      .getByRole('button', { name: /log ?in/i })
      .first()
      .waitFor();
    assert.equal(await page.locator('[data-site]').count(), 0, 'nothing of the network is left on the page');
    assert.deepEqual((await console.control('GET', '/control/sessions')) as unknown, { sessions: [] });
    await page.goBack().catch(() => undefined);
    assert.equal(await page.locator('[data-site]').count(), 0);
    assert.ok(
      watched.loaded.every((url) => !url.includes('code=')),
      'no request carries the code',
    );
  });

  test('login by name and password, and what is said when they are wrong', async () => {
    const { Passwords } = await import('../../src/observer/web-passwords.ts');
    await using console = await TestConsole.open(fourSites());
    await new Passwords(console.folder, () => performance.now()).set('ada', 'correct horse 1');
    const { page } = await openPage(browser);
    await page.goto(console.server.url, { timeout: 60_000 });
    const password = page.locator('input[type=password]');
    await password.waitFor();
    assert.equal(await password.getAttribute('autocomplete'), 'current-password');
    await page.locator('input[autocomplete=username]').fill('ada');
    await password.fill('wrong horse 1');
    await password.press('Enter');
    await page
      .getByRole('alert')
      .filter({ hasText: /not valid/ })
      .waitFor();
    await password.fill('correct horse 1');
    await password.press('Enter');
    await page.locator('[data-site]').first().waitFor();
    await page.context().close();
  });

  test('a session that ends at the server leads to the login page', async () => {
    await using visit = await Visit.make(fourSites());
    await visit.console.control('POST', '/control/end-sessions');
    await visit.page
      .getByRole('button', { name: /log ?in/i })
      .first()
      .waitFor();
  });

  test('topology: all sites with their names, all links, and what is selected', async () => {
    const snapshot = fourSites();
    await using visit = await Visit.make(snapshot);
    const { page } = visit;
    assert.equal(await page.locator('[data-site]').count(), snapshot.sites.length);
    for (const { id, name } of snapshot.sites) {
      assert.match((await page.locator(`[data-site="${id}"]`).getAttribute('aria-label')) ?? '', new RegExp(`^${name}, `));
    }
    assert.equal(await page.locator('[data-link]').count(), snapshot.links.length);
    await page.locator('[data-site="aws-x7k2p"]').click();
    await page.getByRole('heading', { name: 'aws' }).first().waitFor();
    await visit.image('topology-site');
    visit.assertQuiet();
  });

  test('services: success, rate, latency and shares are those of the snapshot', async () => {
    const snapshot = fourSites();
    await using visit = await Visit.make(snapshot);
    const { page } = visit;
    await visit.show('services');
    for (const service of snapshot.services) await assertServiceShown(page, service);
    await visit.show('services?open=greeting');
    const [first] = snapshot.services;
    for (const { siteId, connector, host, port, share } of first?.servers ?? []) {
      const text = await cell(page, 'Servers of greeting', `${siteId} ${connector} ${host} ${port}`, 'share');
      assert.equal(text, `${Math.round((share ?? 0) * 100)}%`);
    }
    visit.assertQuiet();
  });

  test('what changes is shown without a reload', async () => {
    const snapshot = fourSites();
    await using visit = await Visit.make(snapshot);
    await visit.show('services');
    const [first, ...others] = snapshot.services;
    assert.ok(first !== undefined);
    visit.console.observer.snapshot = { ...snapshot, services: [{ ...first, golden: { ...first.golden, perSecond: 77.7 } }, ...others] };
    visit.console.observer.tellNetwork();
    await until('the new rate is shown', async () => (await cell(visit.page, 'Services', 'greeting', 'rps')) === '77.7');
    const [row] = someRequests(1);
    await visit.show('live');
    visit.console.observer.tell({ name: 'request', json: JSON.stringify({ ...row, id: 'zzzzz:1', path: '/only-now' }) });
    await visit.page.getByText('/only-now').first().waitFor();
    visit.assertQuiet();
  });

  for (const scheme of ['light', 'dark'] as const) {
    for (const [device, viewport] of Object.entries({ laptop, phone })) {
      test(`every page at ${device} width, ${scheme}: nothing sticks out, text has contrast, and no complaints`, async () => {
        await using visit = await Visit.make(fourSites(), {
          viewport,
          colorScheme: scheme,
          isMobile: device === 'phone',
          hasTouch: device === 'phone',
        });
        const { page } = visit;
        for (const row of [...someRequests(25)].reverse()) visit.console.observer.tell({ name: 'request', json: JSON.stringify(row) });
        for (const name of pageNames) {
          await visit.show(name);
          const width = Number(await page.evaluate('document.scrollingElement.scrollWidth'));
          assert.ok(width <= viewport.width, `${name} is ${width} wide`);
          const poor = (await page.evaluate(poorContrast)) as string[];
          assert.deepEqual(poor, [], `${name}: text that is hard to read`);
          await visit.image(`${name}-${device}-${scheme}`);
        }
        await visit.show('topology?view=services');
        if (device === 'laptop') await visit.image(`flows-${scheme}`);
        await visit.show('requests');
        await page.locator('tr[data-row] .row-button').first().click();
        await page.waitForTimeout(300);
        if (device === 'laptop') await visit.image(`request-${scheme}`);
        assert.ok(Number(await page.evaluate('document.scrollingElement.scrollWidth')) <= viewport.width, 'with an open request');
        await visit.show('services?open=greeting');
        await page.waitForTimeout(300);
        if (device === 'laptop') await visit.image(`services-open-${scheme}`);
        assert.ok(Number(await page.evaluate('document.scrollingElement.scrollWidth')) <= viewport.width, 'with an open service');
        visit.assertQuiet();
      });
    }
  }

  test('by keyboard alone: a skip link first, a visible focus everywhere, pages and rows open with Enter', async () => {
    await using visit = await Visit.make(fourSites());
    const { page } = visit;
    await page.keyboard.press('Tab');
    assert.match(String(await page.evaluate('document.activeElement.textContent')), /skip/i);
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate("document.activeElement.closest('main') !== null"), true, 'the skip link leads to the main part');
    await page.evaluate("document.activeElement.blur(); document.querySelector('a, button').focus()");
    const seen = new Set<string>();
    for (let step = 0; step < 60; step++) {
      await page.keyboard.press('Tab');
      const focus = (await page.evaluate(focusedElement)) as { name: string; isVisible: boolean; hasMark: boolean } | null;
      if (focus === null) break;
      assert.ok(focus.name !== '', `step ${step}: what has the focus has a name`);
      assert.ok(focus.isVisible, `step ${step}: ${focus.name} is on the screen`);
      assert.ok(focus.hasMark, `step ${step}: ${focus.name} shows that it has the focus`);
      seen.add(focus.name);
    }
    assert.ok(seen.size >= 10, `${[...seen].join(', ')} can be reached`);
    await visit.show('topology');
    await page
      .getByRole('link', { name: /services/i })
      .first()
      .focus();
    await page.keyboard.press('Enter');
    const table = page.getByRole('table', { name: 'Services', exact: true });
    await table.waitFor();
    await table.locator('tr[data-row="greeting"] .row-button').focus();
    await page.keyboard.press('Enter');
    await page.getByRole('table', { name: 'Servers of greeting' }).waitFor();
    visit.assertQuiet();
  });

  test('V3.2.2 hostile names: shown as text, whole or cut, and nothing of them is run, loaded or laid out', async () => {
    await using visit = await Visit.make(hostileNetwork());
    const { page } = visit;
    const [markup = ''] = hostileNames;
    visit.console.observer.requests = hostileNames.flatMap((name, index) =>
      someRequests(1, name).map((row) => ({ ...row, id: `hosti:${index}` })),
    );
    for (const row of visit.console.observer.requests) visit.console.observer.tell({ name: 'request', json: JSON.stringify(row) });
    const texts: string[] = [];
    for (const name of [...pageNames, 'topology?view=services', 'topology?site=h0-x7k2p', `services?open=${encodeURIComponent(markup)}`]) {
      await visit.show(name);
      const text = String(await page.evaluate('document.body.innerText'));
      texts.push(text);
      assert.equal(await page.evaluate('globalThis.harmed'), undefined, name);
      assert.equal(await page.locator('img, script:not([src]), iframe, object, embed, form[action*="script"]').count(), 0, name);
      assert.equal(
        await page.evaluate("[...document.querySelectorAll('a')].some((link) => link.href.startsWith('javascript:'))"),
        false,
        name,
      );
      assert.ok(
        Number(await page.evaluate('document.scrollingElement.scrollWidth')) <= laptop.width,
        `${name}: a long name does not stretch the page`,
      );
      for (const character of ['\u001b', '\u202e', '\u2028', '\u0000', '\u0007']) {
        assert.ok(!text.includes(character), `${name}: control characters are not shown as such`);
      }
    }
    assert.ok(
      texts.some((text) => text.includes('<img src=x')),
      'the markup is there as text',
    );
    visit.assertQuiet();
  });

  test('200 sites: all are on the map within seconds, and it stays usable', async () => {
    const snapshot = manySites(200);
    await using visit = await Visit.make(snapshot);
    const { page } = visit;
    await until('all sites are drawn', async () => (await page.locator('[data-site]').count()) === 200);
    await page.waitForTimeout(1500);
    await visit.image('topology-200-sites');
    const startMs = performance.now();
    for (let turn = 0; turn < 5; turn++) visit.console.observer.tellNetwork();
    await page.evaluate('new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))');
    const tookMs = performance.now() - startMs;
    assert.ok(tookMs < 8000, `five snapshots took ${tookMs.toFixed(0)} ms`);
    // Each change of the window draws all of it anew.
    const windowMs = performance.now();
    for (let turn = 0; turn < 3; turn++) {
      await page.keyboard.press('w');
      await page
        .getByRole('group', {
          name: ['The network in the last 10 min', 'The network in the last 10 s', 'The network in the last 1 min'][turn],
        })
        .waitFor();
    }
    const changedMs = performance.now() - windowMs;
    assert.ok(changedMs < 8000, `three windows took ${changedMs.toFixed(0)} ms`);
    await visit.show('services');
    assert.equal(await page.getByRole('table', { name: 'Services', exact: true }).locator('tbody tr[data-row]').count(), 40);
    await visit.show('sites');
    visit.assertQuiet();
  });

  test('the time window: by mouse and keyboard, with the figures of that time and the command that prints them; it stays', async () => {
    const snapshot = fourSites();
    await using visit = await Visit.make(snapshot);
    const { page, console } = visit;
    const [first, ...others] = snapshot.services;
    assert.ok(first !== undefined);
    const { address } = first;
    for (const [windowMs, perSecond] of [
      [10_000, 777],
      [600_000, 42.5],
    ] as const) {
      console.observer.windows.set(windowMs, { services: [{ ...first, golden: { ...first.golden, perSecond } }, ...others] });
    }
    const command = (): Promise<string | null> =>
      page.getByRole('region', { name: 'Services', exact: true }).locator('[data-command]').first().getAttribute('data-command');
    const shows = async (rps: string, line: string): Promise<void> => {
      await until(`${rps} is shown`, async () => (await cell(page, 'Services', address, 'rps')) === rps);
      assert.equal(await command(), line);
    };
    const choice = (name: string): ReturnType<Page['getByRole']> =>
      page.getByRole('group', { name: 'Time window' }).getByRole('button', { name, exact: true });
    await visit.show('services');
    assert.equal(await choice('1 min').getAttribute('aria-pressed'), 'true');
    assert.equal(await command(), 'van -n remote stat');
    await choice('10 s').click();
    await shows('777', 'van -n remote stat -t 10s');
    // By keyboard alone: from button to button, and by a key from anywhere.
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await shows('42.5', 'van -n remote stat -t 10m');
    assert.equal(await choice('10 min').getAttribute('aria-pressed'), 'true');
    await page.keyboard.press('w');
    await shows('777', 'van -n remote stat -t 10s');
    await visit.show(`services?open=${address}`);
    await page.locator(`[data-command="van -n remote stat servers ${address} -t 10s"]`).waitFor();
    await visit.show('topology?view=services');
    await page.locator('[data-command="van -n remote edges -t 10s"]').waitFor();
    await page.getByRole('group', { name: 'The network in the last 10 s' }).waitFor();
    await visit.show(`topology?service=${address}`);
    await page.locator(`[data-command="van -n remote stat services ${address} -t 10s"]`).waitFor();
    await page.reload();
    await page.getByRole('group', { name: 'The network in the last 10 s' }).waitFor();
    await until('one stream is read', () => Promise.resolve(console.observer.readerCount === 1));
    visit.assertQuiet();
  });

  test('V3.5.5 V3.7.1: what it loads, and that nothing listens to messages of other windows', async () => {
    await using console = await TestConsole.open(fourSites());
    const { page, loaded } = await openPage(browser);
    await page.addInitScript({
      content: `const add = EventTarget.prototype.addEventListener;
        globalThis.messageListeners = 0;
        EventTarget.prototype.addEventListener = function (type, ...rest) {
          if (type === 'message' && this === globalThis) globalThis.messageListeners++;
          return add.call(this, type, ...rest);
        };`,
    });
    await page.goto(await console.loginLink(), { timeout: 60_000 });
    await page.locator('[data-site]').first().waitFor();
    assert.equal(await page.evaluate('globalThis.messageListeners'), 0);
    assert.equal(await page.evaluate('globalThis.onmessage'), null);
    const paths = loaded.map((url) => new URL(url).pathname).filter((path) => !path.startsWith('/api/'));
    for (const path of paths) assert.match(path, /^\/(?:login|theme\.js|favicon\.svg|assets\/[\w.-]+\.(?:js|css|svg|woff2))?$/);
    await page.context().close();
  });

  test('an observer that goes away: the page says that it is not live, and asks for a login when it is back', async () => {
    await using visit = await Visit.make(fourSites());
    const { page, console } = visit;
    const { port } = console;
    await console[Symbol.asyncDispose]();
    await page
      .getByRole('alert')
      .filter({ hasText: /not live/i })
      .waitFor();
    assert.equal(await page.locator('[data-site]').count(), 4, 'what was last known is still there');
    await using _again = await TestConsole.open(fourSites(), { listen: { host: '127.0.0.1', port } });
    await page.locator('input[type=password]').waitFor({ timeout: 20_000 });
  });
});

async function assertServiceShown(page: Page, { address, golden, servers }: ServiceRow): Promise<void> {
  const { successRatio, perSecond, p50Ms } = golden;
  assert.equal(await cell(page, 'Services', address, 'success'), successRatio === null ? '–' : `${(successRatio * 100).toFixed(2)}%`);
  assert.equal(await cell(page, 'Services', address, 'rps'), perSecond === 0 ? '0' : perSecond.toFixed(1));
  assert.match(await cell(page, 'Services', address, 'p50'), p50Ms === null ? /^–$/ : new RegExp(`^${p50Ms}\\s?ms$`));
  assert.match(await cell(page, 'Services', address, 'servers'), new RegExp(`^${servers.length}`));
}

/** What has the focus: its name, and whether it is on the screen and marked. */
const focusedElement = `(() => {
  const element = document.activeElement;
  if (element === null || element === document.body) return null;
  const box = element.getBoundingClientRect();
  const style = getComputedStyle(element);
  const inner = [...element.querySelectorAll('*')].map((child) => getComputedStyle(child));
  const isMarked = ({ outlineStyle, outlineWidth, boxShadow }) => (outlineStyle !== 'none' && outlineWidth !== '0px') || boxShadow !== 'none';
  return {
    name: (element.getAttribute('aria-label') ?? element.textContent ?? '').trim() || element.getAttribute('title') || element.getAttribute('placeholder') || element.labels?.[0]?.textContent || '',
    isVisible: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
    hasMark: isMarked(style) || [...document.querySelectorAll(':focus-within')].some((around) => around !== document.documentElement && around !== document.body && isMarked(getComputedStyle(around))) || (element.namespaceURI.endsWith('svg') && (isMarked(style) || inner.some(({ stroke, opacity, strokeWidth }) => stroke !== 'none' && opacity !== '0' && strokeWidth !== '0px'))),
  };
})()`;

/** Texts on plain backgrounds whose contrast is under 4.5 (3 for large ones), as WCAG counts it. */
const poorContrast = `(() => {
  const parse = (color) => (color.match(/[\\d.]+/g) ?? []).map(Number);
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const backgroundOf = (element) => {
    for (let at = element; at !== null; at = at.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(at).backgroundColor);
      if (a === 1) return [r, g, b];
      if (a > 0) return null;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    const element = node.parentElement;
    if (node.data.trim() === '' || element.closest('svg, noscript, [aria-hidden=true], :disabled') !== null) continue;
    const style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    if (box.width < 2 || box.height < 2 || style.visibility !== 'visible' || style.opacity !== '1' || !style.color.startsWith('rgb')) continue;
    const background = backgroundOf(element);
    if (background === null) continue;
    const [one, two] = [luminance(parse(style.color)), luminance(background)].sort((a, b) => b - a);
    const contrast = (one + 0.05) / (two + 0.05);
    const isLarge = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
    if (contrast < (isLarge ? 3 : 4.5)) found.push(node.data.trim().slice(0, 40) + ' ' + contrast.toFixed(2) + ' ' + style.color);
  }
  return [...new Set(found)].slice(0, 20);
})()`;
