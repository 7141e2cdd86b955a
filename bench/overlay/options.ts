import { parseArgs } from 'node:util';
import { matches, names, positiveInteger } from '../option-values.ts';

export interface Options {
  /** Names of loads or how they begin (`tcp`, `same-host`); empty: all. */
  readonly only: readonly string[];
  readonly paths: readonly string[];
  readonly seconds: number;
  readonly rounds: number;
  /** Of the figures `provisioning` and `memory`. */
  readonly pods: number;
  readonly cycles: number;
  readonly jsonFile: string | undefined;
}

export const usage: string = `Usage: npm run bench:overlay -- [options]

Measures the data path of the overlay beside bridges and the kernel's VXLAN, in network namespaces, in turns.
Needs root, iproute2, iperf3, libbpf and bpf/dist/overlay.o.

  --only NAME,...   only these: tcp, udp, latency, same-host, packet, or longer names such as tcp-1-forth,
                    udp-64, latency-first-packet (default: all)
                    with real daemons, and only when named: provisioning, cycles, memory
  --paths NAME,...  only these: bridge, bridge-plain, vxlan, caravan-tcx, caravan-mixed,
                    caravan-xdp (default: all)
  --seconds N       length of one measurement (default 5)
  --rounds N        measurements of each load on each path (default 10)
  --pods N          pods of each row of provisioning, and of memory (default 100)
  --cycles N        pods that cycles makes and deletes (default 10000)
  --json FILE       write every single measurement to FILE
`;

/** Throws TypeError with a line for the user; undefined: help was asked for. */
export function parseOptions(parameters: readonly string[], loads: readonly string[], paths: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...parameters],
    options: {
      only: { type: 'string', default: '' },
      paths: { type: 'string', default: '' },
      seconds: { type: 'string', default: '5' },
      rounds: { type: 'string', default: '10' },
      pods: { type: 'string', default: '100' },
      cycles: { type: 'string', default: '10000' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const only = names('only', 'load', values.only, loads, (name) => loads.some((load) => matches(load, name)));
  const chosen = names('paths', 'path', values.paths, paths, (name) => paths.includes(name));
  return {
    only,
    paths: chosen,
    seconds: positiveInteger('seconds', values.seconds, 600),
    rounds: positiveInteger('rounds', values.rounds, 100),
    pods: positiveInteger('pods', values.pods, 2000),
    cycles: positiveInteger('cycles', values.cycles, 1_000_000),
    jsonFile: values.json,
  };
}
