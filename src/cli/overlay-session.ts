import { InputError, WeatherError } from '../base/errors.ts';
import { SchemaProblem } from '../management/schema.ts';
import { defaultOperatorSocket } from '../overlay-host/configuration/configuration.ts';
import { askDaemon, type OperatorRequest } from '../overlay-host/operator/operator-socket.ts';
import type { ResourceReport } from '../overlay-host/operator/resource-operations.ts';
import { readConfiguration } from '../overlay-host/run-overlay.ts';
import type { ResourceName, ResourceOutcome } from '../overlay/catalog/resource-book.ts';
import { overlayApiVersion, readOverlayResource } from '../overlay/resources/resources.ts';
import type { OverlayKind, OverlayResource } from '../overlay/resources/resource-types.ts';
import type { Call } from './call.ts';
import type { Option } from './command.ts';

/** Where commands about resources of the overlay find the daemon. */
export const overlaySocketOption: Readonly<Record<string, Option>> = {
  config: {
    short: 'c',
    value: 'FILE',
    meaning: `configuration of this host's part of the overlay (default: ask at ${defaultOperatorSocket})`,
  },
};

/** Asks the daemon of this host. Throws InputError or WeatherError. */
export async function askOverlay(call: Call, request: OperatorRequest): Promise<object> {
  const file = call.text('config');
  const path = file === undefined ? defaultOperatorSocket : readConfiguration(file).operatorSocket;
  try {
    return await askDaemon(path, request);
  } catch (error) {
    if (!(error instanceof WeatherError) || error.code !== 'not-running') throw error;
    throw new WeatherError(error.code, `the daemon of the overlay does not run here: nobody listens at ${path}`, {
      cause: error,
      remedy:
        file === undefined
          ? 'name its configuration with --config, or start it: van overlay run --config FILE'
          : `van overlay run --config ${file}`,
    });
  }
}

export async function overlayResources(call: Call): Promise<readonly ResourceReport[]> {
  return ((await askOverlay(call, { ask: 'resources' })) as { resources: readonly ResourceReport[] }).resources;
}

export interface ApplyOptions {
  /** None of them may be there. */
  readonly isNew: boolean;
  /** Where a part of a resource was said, such as `--prefix` or `FILE:3`; undefined: it is named as the daemon does. */
  readonly placeOf?: (name: ResourceName, path: string) => string | undefined;
}

/** Writes resources, all or none. Throws InputError with the places of `placeOf`, or WeatherError. */
export async function applyOverlayResources(
  call: Call,
  resources: readonly OverlayResource[],
  { isNew, placeOf = () => undefined }: ApplyOptions,
): Promise<readonly ResourceOutcome[]> {
  const written = resources.map(({ kind, metadata, spec }) => ({ apiVersion: overlayApiVersion, kind, metadata, spec }));
  try {
    const { outcomes } = (await askOverlay(call, { ask: 'apply', resources: written, isNew })) as { outcomes: readonly ResourceOutcome[] };
    return outcomes;
  } catch (error) {
    const [, kind, name = '', path = ''] = error instanceof InputError ? (/^(\w+) '([^']*)': ?(.*)$/.exec(error.where) ?? []) : [];
    const place = kind === undefined ? undefined : placeOf({ kind: kind as OverlayKind, name }, path);
    if (!(error instanceof InputError) || place === undefined) throw error;
    throw new InputError(
      error.code,
      place,
      error.message.slice(error.where.length + 2),
      error.remedy === undefined ? {} : { remedy: error.remedy },
    );
  }
}

/**
 * Makes a resource of what was typed, and writes it. `places` says which option or parameter each path came from, such as `spec.prefixes`, so
 * that errors name that.
 */
export async function createOverlayResource(
  call: Call,
  typed: { readonly kind: OverlayKind; readonly metadata: object; readonly spec: object },
  places: Readonly<Record<string, string>>,
): Promise<OverlayResource> {
  const placeOf = (path: string): string => places[path] ?? places[path.replace(/\[.*$/, '')] ?? path;
  let resource: OverlayResource;
  try {
    resource = readOverlayResource({ apiVersion: overlayApiVersion, ...typed });
  } catch (error) {
    if (!(error instanceof SchemaProblem)) throw error;
    const place = placeOf(error.path.filter((step) => typeof step === 'string').join('.'));
    throw new InputError(`resource-${error.kind}`, place, error.message, error.remedy === undefined ? {} : { remedy: error.remedy });
  }
  await applyOverlayResources(call, [resource], { isNew: true, placeOf: (_, path) => placeOf(path) });
  return resource;
}

/** Deletes one resource. Throws InputError `unknown-resource` when it is not there. */
export async function deleteOverlayResource(call: Call, kind: OverlayKind): Promise<number> {
  const name = call.parameter('NAME');
  const known = await overlayResources(call);
  if (!known.some((resource) => resource.kind === kind && resource.metadata.name === name)) throw unknownOverlayResource(kind, name, known);
  await askOverlay(call, { ask: 'delete', names: [{ kind, name }] });
  const { printDone } = await import('./output.ts');
  await printDone(call, `${kind} "${name}" is deleted.`, { kind, name, outcome: 'deleted' });
  return 0;
}

export function unknownOverlayResource(kind: OverlayKind, name: string, known: readonly ResourceReport[]): InputError {
  const names = known.filter((resource) => resource.kind === kind).map(({ metadata }) => metadata.name);
  const list = names.length === 0 ? `there is no ${kind}` : `there ${names.length === 1 ? 'is' : 'are'} ${names.slice(0, 10).join(', ')}`;
  return new InputError('unknown-resource', `${kind} '${name}'`, 'does not exist', { remedy: list });
}
