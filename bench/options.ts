import { parseArgs } from 'node:util';
import { matches, names, positiveInteger } from './option-values.ts';

/** What the command line asks for. */
export interface Options {
  /** Loads whose name is one of these or starts with one and a dash (`requests`, `bulk-4`); empty = all. */
  readonly only: readonly string[];
  /** Names of targets; empty = all. */
  readonly targets: readonly string[];
  readonly seconds: number;
  readonly rounds: number;
  readonly jsonFile: string | undefined;
  readonly profileDirectory: string | undefined;
}

export const usage: string = `Usage: npm run bench -- [options]

Measures a client's path to a server through two routers and one TLS link, beside other paths, in turns.

  --only NAME,...      only these loads: requests, requests-1, -16, -64, -256, connections, bulk, bulk-1-up,
                       bulk-1-down, bulk-4-up, bulk-4-down, idle-memory, http1, http1-1, -16, -64, -256,
                       http1-idle-memory, http1-open-streams, http2-1, -16, -64, -256, grpc-1, -16,
                       -64, -256 (default: all)
  --targets NAME,...   only these paths: direct, haproxy, nginx, skupper-router, caravan-tcp, caravan,
                       caravan-observed (default: all that can run but the last)
  --seconds N          length of one measurement (default 4)
  --rounds N           measurements of each load on each path (default 3)
  --json FILE          write every single measurement to FILE
  --profile DIRECTORY  write CPU profiles of the Caravan routers to DIRECTORY, and print where
                       the time went (costs speed)

Examples:
  npm run bench -- --only requests-64 --targets caravan,skupper-router --rounds 5
  npm run bench -- --seconds 2 --rounds 1 --json result.json
`;

/** Throws TypeError with one line for the user when the command line is wrong; undefined = help was asked for. */
export function parseOptions(parameters: readonly string[], loads: readonly string[], targets: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...parameters],
    options: {
      only: { type: 'string', default: '' },
      targets: { type: 'string', default: '' },
      seconds: { type: 'string', default: '4' },
      rounds: { type: 'string', default: '3' },
      json: { type: 'string' },
      profile: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const only = names('only', 'load', values.only, loads, (name) => loads.some((load) => matches(load, name)));
  const chosen = names('targets', 'path', values.targets, targets, (name) => targets.includes(name));
  return {
    only,
    targets: chosen,
    seconds: positiveInteger('seconds', values.seconds, 600),
    rounds: positiveInteger('rounds', values.rounds, 100),
    jsonFile: values.json,
    profileDirectory: values.profile,
  };
}
