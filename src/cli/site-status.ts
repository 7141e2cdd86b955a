import { readdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Call } from './call.ts';
import type { Command } from './command.ts';
import { formatWarnings } from './health-text.ts';
import { printResult } from './output.ts';
import { patternText } from './printable.ts';
import { SiteSession, noSite, type ShownResource, type SiteReport, type ShownStatus } from './site-session.ts';
import { formatFields, formatTable } from './table.ts';
import { waitForResources } from './wait-for-resources.ts';

export const command: Command = {
  parameters: [],
  options: { all: { short: 'a', meaning: 'one line for the site of each namespace' } },
  description: '',
  examples: [
    { line: 'van site status', meaning: 'The site of the default namespace' },
    { line: 'van site status --all', meaning: 'All sites of this user on this host' },
    { line: 'van -n east site status --wait ready', meaning: 'Wait until the site runs' },
  ],
  async run(call) {
    if (call.flag('all')) return showAll(call);
    const session = new SiteSession(call);
    if (!(await session.exists())) throw noSite(call);
    const level = call.waitLevel('none');
    const first = await oneSite(call);
    if (level !== 'none' && first.report !== undefined) await waitForResources(call, session, [{ kind: 'Site', name: first.name }], level);
    const site = level === 'none' ? first : await oneSite(call);
    await printResult(call, dataOf(site), () => `${formatSite(call, site)}${formatWarnings(site.report?.warnings ?? [])}`);
    return 0;
  },
};

interface FoundSite {
  readonly namespace: string;
  readonly name: string;
  readonly report: SiteReport | undefined;
}

async function oneSite(call: Call): Promise<FoundSite> {
  const session = new SiteSession(call);
  // For programs the status is whole, as Skupper has it; people are shown a number.
  const report = await session.report({ network: call.output !== 'table' });
  const resources = report?.resources ?? (await session.resources()).resources;
  const name = resources.find(({ kind }) => kind === 'Site')?.metadata.name ?? '';
  return { namespace: call.namespace, name, report };
}

function siteResource({ report, name }: FoundSite): ShownResource | undefined {
  return report?.resources.find(({ kind, metadata }) => kind === 'Site' && metadata.name === name);
}

function dataOf(site: FoundSite): unknown {
  const { namespace, name, report } = site;
  if (report === undefined) return { namespace, name, running: false };
  const { resources: _resources, ...rest } = report;
  return { namespace, name, running: true, ...rest, status: siteResource(site)?.status ?? null };
}

function formatSite(call: Call, site: FoundSite): string {
  const { namespace, name, report } = site;
  if (report === undefined) {
    return formatFields([
      ['Name', name],
      ['Namespace', namespace],
      ['Status', 'Stopped'],
      ['Message', `start it with: van${call.namespaceOption} site start`],
    ]);
  }
  const status = siteResource(site)?.status;
  const { trust } = report;
  const endpoints = Array.isArray(status?.['endpoints']) ? (status['endpoints'] as readonly { host: string; port: string }[]) : [];
  const fields: readonly (readonly [string, string])[] = [
    ['Name', name],
    ['Namespace', namespace],
    ['Status', status?.status ?? 'Pending'],
    ['Message', messageOf(report, status)],
    ['Process', `${report.pid} (van ${report.version})`],
    ['Network', trust.networkId ?? 'none yet: issue a token here or redeem one of another site'],
    ['Sites in network', typeof status?.['sitesInNetwork'] === 'number' ? String(status['sitesInNetwork']) : ''],
    ['Router', report.site.routerId],
    ['Console', observerText(report)],
    ['Accepts links at', endpoints.map(({ host, port }) => `${host}:${port}`).join(', ')],
    ['Revoked', trust.revoked ?? ''],
    ['May issue tokens', trust.networkId === null ? '' : String(trust.mayIssue)],
    ['May offer', trust.advertise === null ? '' : patternText(trust.advertise)],
    ['May use', trust.consume === null ? '' : patternText(trust.consume)],
    ['Signs', trust.networkId === null ? '' : String(trust.signs)],
    ['Certificate until', trust.leafExpires ?? ''],
    ['Member until', trust.membershipEnds ?? ''],
    ['Revoked sites', trust.revokedSites.map(({ name, routerId }) => `${name} (${routerId})`).join(', ')],
  ];
  return formatFields(fields.filter(([, value]) => value !== ''));
}

function observerText({ observer }: SiteReport): string {
  if (observer === null) return '';
  return observer.url ?? (observer.message === null ? 'is starting' : `does not run: ${observer.message}`);
}

/** Without a network there are no certificates, so that links are not accepted yet: no reason to worry. */
function messageOf({ trust }: SiteReport, status: ShownStatus | undefined): string {
  const running = status?.conditions.some(({ type, status: value }) => type === 'Running' && value === 'True') === true;
  if (running && status.status === 'Pending' && trust.networkId === null) return 'runs; accepts links from its first token on';
  return status?.message ?? '';
}

async function showAll(call: Call): Promise<number> {
  const folder = dirname(new SiteSession(call).layout.folder);
  const namespaces = (await readdir(folder).catch(() => [])).sort((a, b) => (a < b ? -1 : 1));
  const sites: FoundSite[] = [];
  for (const namespace of namespaces) {
    const other = new Call(call.shell, call.verb, new Map([['namespace', namespace]]), new Map());
    if (await new SiteSession(other).exists()) sites.push(await oneSite(other));
  }
  await printResult(call, sites.map(dataOf), () => {
    if (sites.length === 0) return 'There are no sites. Make one with: van site create NAME\n';
    const rows = sites.map((site) => {
      const status = siteResource(site)?.status;
      return [
        site.namespace,
        site.name,
        site.report === undefined ? 'Stopped' : (status?.status ?? 'Pending'),
        site.report === undefined ? '' : messageOf(site.report, status),
      ];
    });
    return formatTable(['NAMESPACE', 'NAME', 'STATUS', 'MESSAGE'], rows);
  });
  return 0;
}
