import { InputError } from '../base/errors.ts';

/**
 * The version of a state folder's layout, in `state.json`: `{"version": 1}`. It is written before anything else in the
 * folder and raised only by a migration, after everything else is in its new shape.
 */
export const stateVersion = 1;

export function formatStateVersion(): string {
  return `${JSON.stringify({ version: stateVersion })}\n`;
}

/**
 * Checks the content of `state.json` in `folder`. Folders of version 1 are used as they are; there is no older version to
 * migrate from. Throws InputError (`state-version`, `state-damaged`) and leaves the folder as it is.
 */
export function checkStateVersion(content: string, folder: string): void {
  const version = versionIn(content);
  if (version === stateVersion) return;
  if (version === undefined) {
    const remedy = `write {"version": ${stateVersion}} into ${folder}/state.json if the folder is of this version, or move the folder away`;
    throw new InputError('state-damaged', `${folder}/state.json`, 'says no version', { remedy });
  }
  const [age, remedy] =
    version > stateVersion
      ? ['newer', 'use the program that wrote it, or a newer one']
      : ['older', 'this program cannot migrate it; move the folder away and create the site anew'];
  const message = `the state folder has version ${version}, ${age} than version ${stateVersion}, which this program reads`;
  throw new InputError('state-version', folder, message, { remedy });
}

function versionIn(content: string): number | undefined {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || !('version' in value)) return undefined;
  return typeof value.version === 'number' && Number.isInteger(value.version) ? value.version : undefined;
}
