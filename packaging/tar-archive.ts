import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { WeatherError } from '../src/base/errors.ts';

/** A file of the package. */
export interface PackageFile {
  /** Where it stands in the package, with `/` between the names. */
  readonly path: string;
  readonly isExecutable: boolean;
  readonly content: Uint8Array | { readonly file: string };
}

/*
 * A header of POSIX.1-1988 (ustar), 512 octets; the content follows, filled up with zeros to whole blocks. Two blocks of zeros end the archive.
 *
 *     0  100  path, or its last part         156    1  type: '0' file, '5' folder
 *   100    8  mode                           157  100  target of a link
 *   108    8  user id                        257    6  "ustar" 0
 *   116    8  group id                       263    2  "00"
 *   124   12  size                           265   64  names of user and group
 *   136   12  modified, seconds since 1970   329   16  device numbers
 *   148    8  sum of all octets, taken       345  155  first part of the path; a slash comes between
 *             with 8 spaces in its place     500   12  zeros
 *
 * Numbers are octal digits and a zero octet.
 */
const blockOctets = 512;
const pathField = 100;
const prefixField = 155;
/** 11 octal digits. */
const maxFileOctets = 8 ** 11 - 1;
const readOctets = 1 << 20;

/**
 * The archive of these files in one folder, as chunks that the receiver owns. The same files give the same octets: entries are sorted, all
 * belong to user 0 and have one time. Throws WeatherError `package-path` and `package-file`.
 */
export async function* tarArchive(folder: string, files: readonly PackageFile[], modifiedSeconds: number): AsyncGenerator<Uint8Array> {
  const sorted = files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const folders = new Set<string>();
  for (const { path, isExecutable, content } of sorted) {
    const names = `${folder}/${path}`.split('/');
    for (let count = 1; count < names.length; count++) {
      const parent = `${names.slice(0, count).join('/')}/`;
      if (folders.has(parent)) continue;
      folders.add(parent);
      yield header({ path: parent, mode: 0o755, octets: 0, type: '5', modifiedSeconds });
    }
    const octets = content instanceof Uint8Array ? content.length : (await stat(content.file)).size;
    yield header({ path: names.join('/'), mode: isExecutable ? 0o755 : 0o644, octets, type: '0', modifiedSeconds });
    if (content instanceof Uint8Array) yield content;
    else yield* wholeFile(content.file, octets);
    yield new Uint8Array((blockOctets - (octets % blockOctets)) % blockOctets);
  }
  yield new Uint8Array(2 * blockOctets);
}

/** A file that changes while it is read would spoil what comes after it. */
async function* wholeFile(file: string, octets: number): AsyncGenerator<Uint8Array> {
  let read = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: readOctets }) as AsyncIterable<Uint8Array>) {
    read += chunk.length;
    yield chunk;
  }
  if (read !== octets) throw new WeatherError('package-file', `${file} changed while it was packed`, { remedy: 'try again' });
}

interface Header {
  readonly path: string;
  readonly mode: number;
  readonly octets: number;
  readonly type: '0' | '5';
  readonly modifiedSeconds: number;
}

function header({ path, mode, octets, type, modifiedSeconds }: Header): Uint8Array {
  if (octets > maxFileOctets) throw new WeatherError('package-file', `${path} has more than ${maxFileOctets} octets`);
  const [prefix, name] = splitPath(path);
  const block = Buffer.alloc(blockOctets);
  const number = (value: number, at: number, width: number): void => {
    block.write(value.toString(8).padStart(width - 1, '0'), at, 'latin1');
  };
  block.write(name, 0, 'utf8');
  number(mode, 100, 8);
  number(0, 108, 8);
  number(0, 116, 8);
  number(octets, 124, 12);
  number(modifiedSeconds, 136, 12);
  block.fill(' ', 148, 156);
  block.write(type, 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  number(0, 329, 8);
  number(0, 337, 8);
  block.write(prefix, 345, 'utf8');
  // Six digits, a zero octet, a space: as the first tar had it.
  const sum = block.reduce((total, octet) => total + octet, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** At the first slash that leaves room for both parts. */
function splitPath(path: string): readonly [prefix: string, name: string] {
  if (Buffer.byteLength(path) <= pathField) return ['', path];
  for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) {
    const prefix = path.slice(0, at);
    const name = path.slice(at + 1);
    if (name !== '' && Buffer.byteLength(name) <= pathField && Buffer.byteLength(prefix) <= prefixField) return [prefix, name];
  }
  throw new WeatherError('package-path', `${path} is too long for a tar archive`);
}
