import { InputError } from '../base/errors.ts';
import { siteName } from '../site/resources.ts';
import type { Resource, ResourceOf } from '../site/resource-types.ts';
import { SchemaProblem } from '../management/schema.ts';
import { defaultLinkPort } from '../site/derive.ts';
import { defaultObserverPort, observerValueProblem } from '../site/observer-settings.ts';
import { startSiteInBackground } from '../supervisor/start-site.ts';
import type { Call } from './call.ts';
import type { Command } from './command.ts';
import { parsePort } from './option-values.ts';
import { printDone } from './output.ts';
import { withProgress } from './progress.ts';
import { resourceFromOptions } from './resource-from-options.ts';
import { SiteSession, type ShownResource } from './site-session.ts';
import { writeUnit } from './systemd-unit.ts';
import { waitForResources } from './wait-for-resources.ts';

export const command: Command = {
  parameters: [{ name: 'NAME', meaning: 'name of the site: at most 63 lower case letters, digits and dashes' }],
  options: {
    'enable-link-access': { meaning: 'lets other sites link to this one; the others need no open port' },
    'link-access-host': {
      value: 'HOST',
      meaning: 'how other sites reach this one: name or address, several with commas (default: address of the host)',
    },
    'link-access-port': { value: 'PORT', meaning: `port for links (default: ${defaultLinkPort})` },
    'bind-host': { value: 'ADDRESS', meaning: 'local address to accept links on (default: all)' },
    'require-signed': { meaning: 'refuses neighbours that do not sign what they say, such as skupper-routers' },
    'enable-observer': { meaning: 'runs an observer with the site: console, REST interface, metrics and history of the network' },
    'observer-listen': { value: 'HOST:PORT', meaning: `where its console is (default: 127.0.0.1:${defaultObserverPort})` },
    systemd: { meaning: 'writes a unit for systemd in place of starting the site' },
  },
  description:
    'One namespace has one site; use -n for more on one host. The site runs in the background. Creating it again starts it when it does\n' +
    'not run, and changes how it accepts links when options say so.',
  examples: [
    { line: 'van site create laptop', meaning: 'A site that only links to others' },
    { line: 'van site create cloud --enable-link-access --link-access-host vpn.example.com', meaning: 'A site that others link to' },
    { line: 'van -n east site create east --enable-link-access --link-access-port 55672', meaning: 'A second one on the same host' },
    { line: 'van site create edge --systemd', meaning: 'A site that systemd runs, also after a restart of the host' },
  ],
  async run(call) {
    const name = call.parameter('NAME');
    checkName(name);
    const access = accessOptions(call, name);
    const session = new SiteSession(call);
    const found = (await session.exists()) ? await session.resources() : undefined;
    const before = found?.resources.find(({ kind }) => kind === 'Site');
    if (before !== undefined && before.metadata.name !== name) throw otherSite(call, before.metadata.name);
    const resources = wantedResources(name, access, settingsOf(call), before);
    if (resources.length > 0) {
      if (found === undefined) await session.applyStopped(resources, 'site create');
      else await session.apply(resources, 'site create');
    }
    if (call.flag('systemd')) return printUnit(call, name, found?.running === true);
    const { namespace, timeoutMs } = call;
    const { pid } = await withProgress(
      call.shell,
      () => 'the site is starting',
      () => startSiteInBackground({ namespace, environment: call.shell.environment, timeoutMs }),
    );
    const level = call.waitLevel('ready');
    if (level !== 'none') await waitForResources(call, session, [{ kind: 'Site', name }], level);
    await printDone(call, `Site "${name}" is ready (process ${pid}).${found === undefined ? nextStep(call, access) : ''}`, {
      name,
      namespace,
      pid,
    });
    return 0;
  },
};

interface LinkAccess {
  readonly hosts: readonly string[];
  readonly port: number | undefined;
  readonly bindHost: string | undefined;
}

function checkName(name: string): void {
  try {
    siteName.read(name, []);
  } catch (error) {
    if (error instanceof SchemaProblem) throw new InputError('bad-name', 'NAME', error.message);
    throw error;
  }
}

/** How the site is to accept links; undefined when no option speaks of it. */
function accessOptions(call: Call, name: string): LinkAccess | undefined {
  const hosts = (call.text('link-access-host') ?? '').split(',').filter((host) => host !== '');
  const portText = call.text('link-access-port');
  const port = portText === undefined ? undefined : parsePort(portText, '--link-access-port');
  const bindHost = call.text('bind-host');
  const detailed = hosts.length > 0 || port !== undefined || bindHost !== undefined;
  if (!call.flag('enable-link-access')) {
    if (!detailed) return undefined;
    throw new InputError('missing-option', '--enable-link-access', 'is needed for the site to accept links', {
      remedy: `van${call.namespaceOption} site create ${name} --enable-link-access ...`,
    });
  }
  return { hosts, port, bindHost };
}

/** Settings of the Site that options ask for. */
function settingsOf(call: Call): Readonly<Record<string, string>> {
  const listen = call.text('observer-listen');
  if (listen !== undefined && !call.flag('enable-observer')) {
    throw new InputError('missing-option', '--enable-observer', 'is needed for the site to run an observer');
  }
  const problem = listen === undefined ? undefined : observerValueProblem('listen', listen);
  if (problem !== undefined) throw new InputError('bad-option', '--observer-listen', `${problem}, not '${listen}'`);
  return {
    ...(call.flag('require-signed') ? { 'require-signed': 'true' } : {}),
    ...(call.flag('enable-observer') ? { observer: 'enabled' } : {}),
    ...(listen === undefined ? {} : { 'observer-listen': listen }),
  };
}

/** The resources to apply; none when the site is there and nothing was said that could change it. */
function wantedResources(
  name: string,
  access: LinkAccess | undefined,
  added: Readonly<Record<string, string>>,
  before: ShownResource | undefined,
): readonly Resource[] {
  const hasAdded = Object.keys(added).length > 0;
  if (access === undefined && !hasAdded && before !== undefined) return [];
  const settings = before?.spec['settings'] as Readonly<Record<string, string>> | undefined;
  const site: Resource = {
    kind: 'Site',
    metadata: { name },
    spec: {
      ...before?.spec,
      ...(access === undefined ? {} : { linkAccess: 'default' }),
      ...(hasAdded ? { settings: { ...settings, ...added } } : {}),
    },
  };
  if (access === undefined) return [site];
  const { hosts, port, bindHost } = access;
  if (hosts.length === 0 && port === undefined && bindHost === undefined) return [site];
  // A site that is reached by a loopback address alone has no reason to listen elsewhere.
  const bound =
    bindHost ?? (hosts.length > 0 && hosts.every((host) => host === 'localhost' || host.startsWith('127.')) ? '127.0.0.1' : undefined);
  const routerAccess: ResourceOf<'RouterAccess'> = {
    kind: 'RouterAccess',
    metadata: { name: 'link-access' },
    spec: {
      roles: [{ name: 'inter-router', port: port ?? defaultLinkPort }],
      tlsCredentials: 'link-access',
      ...(bound === undefined ? {} : { bindHost: bound }),
      ...(hosts.length === 0 ? {} : { subjectAlternativeNames: hosts }),
    },
  };
  const places = Object.fromEntries(hosts.map((_, index) => [`spec.subjectAlternativeNames[${index}]`, '--link-access-host']));
  return [site, resourceFromOptions(routerAccess, { ...places, 'spec.bindHost': '--bind-host' })];
}

function otherSite(call: Call, present: string): InputError {
  return new InputError('site-exists', 'NAME', `namespace '${call.namespace}' has the site '${present}' already`, {
    remedy: `use another namespace: van -n ${call.parameter('NAME')} site create ${call.parameter('NAME')}`,
  });
}

async function printUnit(call: Call, name: string, running: boolean): Promise<number> {
  const unit = await writeUnit(call);
  // One process at a time has the state.
  const commands = [...(running ? [`van${call.namespaceOption} site stop`] : []), ...unit.commands];
  await printDone(
    call,
    `Site "${name}" is created, and its unit ${unit.path} is written. To start it, type:\n` +
      `${commands.map((line) => `  ${line}`).join('\n')}\n` +
      'For it to run while you are not logged in, once: loginctl enable-linger',
    { name, namespace: call.namespace, unit: unit.path, commands },
  );
  return 0;
}

function nextStep(call: Call, access: LinkAccess | undefined): string {
  const option = call.namespaceOption;
  return access === undefined
    ? `\nTo link it to a site that accepts links: van${option} token redeem FILE`
    : `\nTo let another site link to it: van${option} token issue FILE`;
}
