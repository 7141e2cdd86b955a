import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { WeatherError } from '../src/base/errors.ts';
import { makePackage } from './make-package.ts';

const usage = `npm run package -- [--folder FOLDER] [--level 0-9]

Makes caravan-VERSION-SYSTEM.tar.gz for machines like this one, and SHA256SUMS beside it, in dist/packages or FOLDER.
The level says how hard it is compressed, 6 if absent. See docs/install.md.
`;

const mebibyte = 1 << 20;

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof WeatherError)) throw error;
  console.error(`error: ${error.message}${error.remedy === undefined ? '' : `\ntry: ${error.remedy}`}`);
  process.exitCode = 1;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      folder: { type: 'string', default: join(import.meta.dirname, '../dist/packages') },
      level: { type: 'string', default: '6' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  if (!/^\d$/.test(values.level)) {
    console.error(`error: --level: ${values.level} is not 0 to 9`);
    return 2;
  }
  const { file, octets, unpackedOctets, fileCount, leftOut } = await makePackage({
    folder: values.folder,
    compressionLevel: Number(values.level),
  });
  for (const what of leftOut) console.log(`Left out: ${what}.`);
  console.log(`${file}: ${fileCount} files, ${mebibytes(octets)} MiB, ${mebibytes(unpackedOctets)} MiB unpacked.`);
  return 0;
}

function mebibytes(octets: number): string {
  return (octets / mebibyte).toFixed(1);
}
