import { InputError, WeatherError } from '../base/errors.ts';
import { formatResources } from '../site/resources.ts';
import type { Kind, Resource } from '../site/resource-types.ts';
import type { SiteLayout } from '../site/state-layout.ts';
import type { AppliedResource } from '../supervisor/desired-resources.ts';
import { layoutOf } from '../supervisor/process-environment.ts';
import { siteClient, type SiteClient } from '../supervisor/site-client.ts';
import { siteFolderExists } from '../supervisor/site-folder.ts';
import type { SiteStatusBody } from '../supervisor/site-requests.ts';
import type { Call } from './call.ts';
import { withProgress } from './progress.ts';
import { StoppedSite } from './stopped-site.ts';

/** A condition as status shows it. */
interface ShownCondition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

/** The part of every kind's status that commands look at, and whatever the kind has besides. */
export interface ShownStatus extends Readonly<Record<string, unknown>> {
  readonly status: string;
  readonly message: string;
  readonly conditions: readonly ShownCondition[];
}

/** A resource as the site reports it. Without status: a Secret, or nothing is known because the site does not run. */
export interface ShownResource {
  readonly kind: Kind;
  readonly metadata: { readonly name: string };
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status?: ShownStatus;
}

/** What the site says about itself, with resources as commands look at them. */
export type SiteReport = Omit<SiteStatusBody, 'resources'> & { readonly resources: readonly ShownResource[] };

/** What is waited for when an operation takes long. */
const waitingTexts: Readonly<Record<string, string>> = {
  CHECK: 'still checking: link endpoints, servers and neighbours are being tried',
  'REDEEM-TOKEN': 'waiting for the site that issued the token',
  PUBLISH: 'waiting for consumers',
};

/** Commands talk to the site of a namespace through this: to its process when it runs, to its state folder otherwise. */
export class SiteSession {
  readonly #call: Call;
  readonly #client: SiteClient;
  readonly #stopped: StoppedSite;
  readonly layout: SiteLayout;

  constructor(call: Call) {
    this.#call = call;
    this.layout = layoutOfCall(call);
    this.#stopped = new StoppedSite(call.namespace, this.layout);
    this.#client = siteClient(call.namespace, call.shell.environment);
  }

  exists(): Promise<boolean> {
    return siteFolderExists(this.layout);
  }

  /** What the running site says about itself, with `network` about each site of its network as well; undefined when it does not run. Throws WeatherError `no-site`. */
  report(attributes: { readonly network?: boolean } = {}): Promise<SiteReport | undefined> {
    return whenRunning(this.ask<SiteReport>('STATUS', attributes));
  }

  /** The resources, with status when the site runs. Throws WeatherError `no-site`. */
  async resources(): Promise<{ readonly running: boolean; readonly resources: readonly ShownResource[] }> {
    const report = await this.report();
    if (report !== undefined) return { running: true, resources: report.resources };
    const resources: readonly unknown[] = await this.#stopped.resources();
    return { running: false, resources: resources as readonly ShownResource[] };
  }

  /** Adds or replaces resources, now or at the next start. `where` names them in errors. */
  async apply(resources: readonly Resource[], where: string): Promise<Applied> {
    const text = formatResources(resources);
    const body = await whenRunning(this.ask<{ resources: readonly AppliedResource[] }>('APPLY', { resources: text, where }));
    return body === undefined ? this.applyStopped(resources, where) : { running: true, results: body.resources };
  }

  /** The same for a site that does not run. A first Site makes its state folder. */
  async applyStopped(resources: readonly Resource[], where: string): Promise<Applied> {
    return { running: false, results: await this.#stopped.apply(resources, where) };
  }

  /** Removes a resource. Throws InputError `unknown-resource`. */
  async remove(kind: Kind, name: string): Promise<{ readonly running: boolean }> {
    const { running, resources } = await this.resources();
    if (!resources.some((resource) => resource.kind === kind && resource.metadata.name === name)) {
      throw unknownResource(kind, name, resources, this.#call);
    }
    if (running) await this.ask('REMOVE', { kind, name });
    else await this.#stopped.remove({ kind, metadata: { name } });
    return { running };
  }

  /** Asks for answers that go on, until `take` has enough of them or `signal` ends it. Throws as `ask` does. */
  stream(
    operation: string,
    attributes: Readonly<Record<string, unknown>>,
    take: (body: unknown) => boolean,
    signal?: AbortSignal,
  ): Promise<void> {
    return this.#client.stream({ operation, attributes }, take, signal);
  }

  /** Asks the running site. Throws WeatherError `no-site`, `site-not-running`, and what the site refuses. */
  ask<Body>(operation: string, attributes: Readonly<Record<string, unknown>>, timeoutMs: number = this.#call.timeoutMs): Promise<Body> {
    return withProgress(
      this.#call.shell,
      () => waitingTexts[operation] ?? 'waiting for the site to answer',
      () => this.#client.request<Body>({ operation, attributes }, { timeoutMs }),
    );
  }
}

/** Where the state of the call's namespace is. Throws InputError when that is no name. */
function layoutOfCall(call: Call): SiteLayout {
  try {
    return layoutOf(call.namespace, call.shell.environment);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(error.code, '--namespace', error.message.slice(error.where.length + 2), { cause: error });
  }
}

/** What applying did. */
export interface Applied {
  readonly running: boolean;
  readonly results: readonly AppliedResource[];
}

async function whenRunning<Body>(answer: Promise<Body>): Promise<Body | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof WeatherError && error.code === 'site-not-running') return undefined;
    throw error;
  }
}

export function noSite(call: Call): WeatherError {
  return new WeatherError('no-site', `there is no site in namespace '${call.namespace}'`, {
    remedy: `create one: van${call.namespaceOption} site create NAME`,
  });
}

/** The error for a resource that is not there, with those that are. */
export function unknownResource(kind: Kind, name: string, known: readonly ShownResource[], call: Call): InputError {
  const names = known.filter((resource) => resource.kind === kind).map(({ metadata }) => metadata.name);
  const list = names.length === 0 ? `there is no ${kind}` : `there ${names.length === 1 ? 'is' : 'are'} ${names.slice(0, 10).join(', ')}`;
  return new InputError('unknown-resource', `${kind} '${name}'`, `does not exist in namespace '${call.namespace}'`, { remedy: list });
}
