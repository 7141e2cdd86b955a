import { createHash } from 'node:crypto';
import { readFile, readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { WeatherError } from '../base/errors.ts';

/** Types of what is served. A file of any other type is not. */
const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.webmanifest': 'application/manifest+json',
};
const compressedTypes = new Set(['.html', '.js', '.css', '.svg', '.webmanifest']);

/** The console has some ten files of together less than 1 MiB; all are kept in memory. */
const maxFiles = 500;
const maxTotalBytes: number = 16 * 1024 * 1024;

/** A file as it is answered. */
export interface WebFile {
  readonly contentType: string;
  readonly body: Buffer;
  readonly compressed: Buffer | undefined;
  readonly etag: string;
  /** Its name changes with its content, so browsers may keep it for good. */
  readonly isImmutable: boolean;
  /** The page itself. */
  readonly isPage: boolean;
}

/** Files by the path of a request. What is not in the map is not served, so no path leads anywhere else. */
export type WebFiles = ReadonlyMap<string, WebFile>;

/** Reads all files of a folder. Throws WeatherError `console-files`. */
export async function readWebFiles(folder: string): Promise<WebFiles> {
  const files = new Map<string, WebFile>();
  let totalBytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const extension = extname(entry.name).toLowerCase();
    const contentType = contentTypes[extension];
    const place = join(entry.parentPath, entry.name);
    const path = place.slice(folder.length).replaceAll('\\', '/');
    // Symbolic links are no files here; a folder that begins with a dot is one that is being built.
    if (!entry.isFile() || contentType === undefined || path.includes('/.')) continue;
    totalBytes += (await stat(place)).size;
    if (files.size >= maxFiles || totalBytes > maxTotalBytes) {
      throw new WeatherError('console-files', `${folder} has more than ${maxFiles} files or ${maxTotalBytes} bytes`);
    }
    const body = await readFile(place);
    files.set(path, {
      contentType,
      body,
      compressed: compressedTypes.has(extension) ? await promisify(gzip)(body, { level: 9 }) : undefined,
      etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
      isImmutable: path.startsWith('/assets/'),
      isPage: extension === '.html',
    });
  }
  if (!files.has('/index.html')) throw new WeatherError('console-files', `${folder} has no index.html`);
  return files;
}
