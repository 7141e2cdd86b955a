import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { freePort } from '../../examples/demo/free-port.ts';
import { createGreetingServer } from '../../examples/demo/greeting-server.ts';
import { Load, windowLength } from '../../examples/demo/load.ts';
import { linkCosts, serviceNames, setUpSteps, siteNames } from '../../examples/demo/topology.ts';
import type { ServicePorts } from '../../examples/demo/topology.ts';
import type { StatReport } from '../../src/flows/network-snapshot.ts';
import { until } from '../e2e/until.ts';
import { VanSandbox } from '../e2e/van-sandbox.ts';
import { missingBrowser, openPage, startBrowser } from './browser.ts';
import { moveIntoOwnNetwork } from './own-network.ts';

/** Between a hundred responses and the minute that the page shows. */
const shareTolerance = 0.12;
/** The load is that of the demonstration at its second phase: one server alone is too slow for it. */
const inFlight = 10;
/** What the page shows is of the last minute: its share of the time before the load began. */
const shownTimeoutMs = 60_000;

test(
  'the demonstration’s network in Chromium: topology, services and shares are what was set up and counted',
  { skip: missingBrowser() ?? false, timeout: 240_000 },
  async () => {
    moveIntoOwnNetwork();
    await using box = await VanSandbox.make();
    await using servers = new GreetingServers();
    const services = { greeting: await servers.start(), 'greeting-http': await servers.start() };
    const ports = { awsLinks: await freePort(), azureLinks: await freePort(), console: await freePort(), services };
    for (const { namespace, parameters } of setUpSteps(ports, box.folder)) await box.done(`-n ${namespace} ${parameters.join(' ')}`);
    const loads = new Map(
      serviceNames.map((name) => [name, new Load(`http://127.0.0.1:${services[name].listener}/`, { keepAlive: name === 'greeting-http' })]),
    );
    const browser = await startBrowser();
    try {
      await until(
        'the services answer',
        async () => (await Promise.all(serviceNames.map((name) => answers(services[name].listener)))).every(Boolean),
        30_000,
      );
      for (const load of loads.values()) load.setInFlight(inFlight);
      const { page, complaints } = await openPage(browser);
      await page.goto((await box.done('-n remote console')).trim(), { timeout: 60_000 });

      // Topology: as it was set up, and as `van network status` has it.
      const status = JSON.parse(await box.done('-n remote network status -o json')) as {
        sites: readonly { routerId: string; name: string }[];
      };
      const expectedSites = status.sites.map(({ routerId }) => routerId).sort();
      await until(
        'all sites are shown',
        async () => (await attributes(page, 'data-site')).join() === expectedSites.join(),
        30_000,
        () => expectedSites.join(),
      );
      assert.deepEqual(status.sites.map(({ name }) => name).sort(), [...siteNames].sort());
      await page.evaluate("location.hash = '#/links'");
      const links = page.getByRole('table', { name: 'Links', exact: true }).locator('tbody tr[data-row]');
      // Who dialled is told by the records of each site, which come some seconds after a site that has just joined.
      let linkTexts: readonly string[] = [];
      const missingLinks = (): string[] =>
        linkCosts
          .filter(({ from, to, cost }) => !linkTexts.some((text) => new RegExp(`\\b${from}\\b[^]*\\b${to}\\b[^]*\\b${cost}\\b`).test(text)))
          .map(({ from, to, cost }) => `from ${from} to ${to} of cost ${cost}`);
      await until(
        'all links are shown as they were made',
        async () => {
          linkTexts = await links.allInnerTexts();
          return linkTexts.length === linkCosts.length && missingLinks().length === 0;
        },
        30_000,
        () => `${missingLinks().join('; ')} among ${JSON.stringify(linkTexts)}`,
      );

      // Services: those of `van stat`, with shares as the clients count them.
      const stat = JSON.parse(await box.done('-n remote stat -o json')) as StatReport;
      await page.evaluate("location.hash = '#/services'");
      const rows = page.getByRole('table', { name: 'Services', exact: true }).locator('tbody tr[data-row]');
      await until('all services are shown', async () => (await rows.count()) === serviceNames.length);
      assert.deepEqual(await attributes(page, 'data-row'), stat.rows.map(({ name }) => name).sort());
      for (const [name, load] of loads) {
        await page.evaluate(`location.hash = '#/services?open=${name}'`);
        await page.getByRole('table', { name: `Servers of ${name}`, exact: true }).waitFor();
        let told = '';
        await until(
          `the shares of ${name} are those that were counted`,
          async () => {
            const { lastServed } = load.state();
            const shown = await sharesShown(page, name);
            told = JSON.stringify({ shown: [...shown], counted: [...lastServed] });
            return (
              shown.size === 2 &&
              [...shown].every(([site, share]) => Math.abs(share - (lastServed.get(site) ?? 0) / windowLength) <= shareTolerance)
            );
          },
          shownTimeoutMs,
          () => told,
        );
      }
      const { successRatio } = stat.rows.find(({ name }) => name === 'greeting-http')?.golden ?? {};
      assert.equal(successRatio, 1);
      assert.equal((await page.locator('tr[data-row="greeting-http"] > [data-column=success]').innerText()).trim(), '100.00%');

      // Single requests, as they come.
      await page.evaluate("location.hash = '#/live'");
      await page.getByRole('table').locator('tbody tr[data-row]').nth(5).waitFor();
      assert.deepEqual(complaints, []);
    } finally {
      await browser.close();
      await Promise.all([...loads.values()].map((load) => load.stop()));
    }
  },
);

/** Greeting servers of this process. */
class GreetingServers implements AsyncDisposable {
  readonly #servers: Server[] = [];

  async start(): Promise<ServicePorts> {
    const ports: number[] = [];
    for (const name of ['laptop', 'aws']) {
      const server = createGreetingServer(name);
      this.#servers.push(server);
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      ports.push((server.address() as AddressInfo).port);
    }
    const [laptop = 0, aws = 0] = ports;
    return { laptop, aws, listener: await freePort() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
    await Promise.resolve();
  }
}

async function answers(port: number): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(2000), headers: { connection: 'close' } }).catch(
    () => undefined,
  );
  return (await response?.text())?.trim() === 'laptop';
}

/** Values of an attribute in the page, sorted. */
async function attributes(page: Page, name: string): Promise<readonly string[]> {
  const values = await page
    .locator(`main [${name}]`)
    .evaluateAll(
      (elements, attribute) =>
        elements.map((element) => (element as unknown as { getAttribute(name: string): string }).getAttribute(attribute)),
      name,
    );
  return [...new Set(values)].sort();
}

/** Shares of the servers of a service on its opened row, by site. */
async function sharesShown(page: Page, service: string): Promise<ReadonlyMap<string, number>> {
  const rows = await page
    .getByRole('table', { name: `Servers of ${service}`, exact: true })
    .locator('tbody tr[data-row]')
    .all();
  const shares = new Map<string, number>();
  for (const row of rows) {
    const site = (await row.locator('[data-column=site]').innerText()).trim();
    shares.set(site, Number.parseFloat(await row.locator('[data-column=share]').innerText()) / 100);
  }
  return shares;
}
