import { parseArgs } from 'node:util';
import type { Row } from './row.ts';

export const usage: string = `Usage: npm run faults -- [options]

Runs routers, servers and load as processes in network namespaces, breaks things, and prints one JSON line for each row of the
scoreboard. Needs root, iproute2 and nftables. Exit code 1: a floor was missed or a row failed.

  --rows ID,...   only these rows
  --fast          only the rows for every change, shortened
  --no-peers      do not measure the peers that are installed (--fast does not, either)
  --table         print the scoreboard from the last results and end
  --write-docs    write the scoreboard into docs/reliability.md and end
  --list          print the rows and end
`;

export interface Options {
  readonly rows: readonly Row[];
  readonly fast: boolean;
  readonly peers: boolean;
  readonly only: 'table' | 'write-docs' | 'list' | undefined;
}

/** Throws TypeError with one line for the user; undefined = help was asked for. */
export function parseOptions(parameters: readonly string[], all: readonly Row[]): Options | undefined {
  const { values } = parseArgs({
    args: [...parameters],
    options: {
      rows: { type: 'string', default: '' },
      fast: { type: 'boolean', default: false },
      'no-peers': { type: 'boolean', default: false },
      table: { type: 'boolean', default: false },
      'write-docs': { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const wanted = values.rows.split(',').filter((id) => id !== '');
  for (const id of wanted)
    if (!all.some((row) => row.id === id))
      throw new TypeError(`--rows: there is no row ${id}; there are ${all.map((row) => row.id).join(', ')}`);
  const chosen = wanted.length > 0 ? all.filter(({ id }) => wanted.includes(id)) : values.fast ? all.filter(({ fast }) => fast) : all;
  return {
    rows: chosen,
    fast: values.fast,
    peers: !values['no-peers'] && !values.fast,
    only: values.table ? 'table' : values['write-docs'] ? 'write-docs' : values.list ? 'list' : undefined,
  };
}
