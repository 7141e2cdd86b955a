import { mkdir, readFile, rm } from 'node:fs/promises';
import { InputError, WeatherError } from '../base/errors.ts';
import { writeFailure, writeFileAtomic } from '../host/atomic-file.ts';
import { lockFolder } from '../host/folder-lock.ts';
import type { FolderLock } from '../host/folder-lock.ts';
import type { SiteLayout } from '../site/state-layout.ts';
import { checkStateVersion, formatStateVersion } from '../site/state-version.ts';

/** Whether there is a state folder for the namespace. */
export async function siteFolderExists(layout: SiteLayout): Promise<boolean> {
  return (await readVersion(layout)) !== undefined;
}

/**
 * Makes the state folder when it is not there, checks its version and takes it, until disposal: one process at a time
 * writes there. Throws WeatherError `state-in-use`, `disk-full`, `state-not-writable` and InputError `state-version`.
 */
export async function openSiteFolder(layout: SiteLayout): Promise<FolderLock> {
  const folders = [
    layout.resourceFolder,
    layout.suppliedCertificateFolder,
    layout.pkiFolder,
    layout.certificateFolder,
    layout.routerFolder,
    layout.statusFolder,
  ];
  try {
    for (const folder of folders) await mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw writeFailure(layout.folder, cause);
  }
  const version = await readVersion(layout);
  if (version === undefined) await writeFileAtomic(layout.stateFile, formatStateVersion());
  else checkStateVersion(version, layout.folder);
  return lockFolder(layout.runtimeFolder);
}

/** Removes everything of a site that does not run. Throws WeatherError `state-in-use` when it runs. */
export async function deleteSiteFolder(layout: SiteLayout): Promise<void> {
  if (!(await siteFolderExists(layout))) {
    throw new InputError('no-site', 'namespace', `there is no site in ${layout.folder}`, { remedy: 'van site create NAME' });
  }
  await using _lock = await openSiteFolder(layout);
  // Trust first: whatever interrupts the rest, no half-deleted folder is still a member of a network.
  await rm(layout.pkiFolder, { recursive: true, force: true });
  await rm(layout.folder, { recursive: true, force: true });
}

async function readVersion(layout: SiteLayout): Promise<string | undefined> {
  try {
    return await readFile(layout.stateFile, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new WeatherError('state-not-readable', `cannot read ${layout.stateFile}: ${code ?? 'unknown'}`, {
      cause,
      remedy: 'run as the user that made the site',
    });
  }
}
