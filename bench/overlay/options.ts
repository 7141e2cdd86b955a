import { parseArgs } from 'node:util';

export interface Options {
  /** Names of loads or how they begin (`tcp`, `same-host`); empty: all. */
  readonly only: readonly string[];
  readonly paths: readonly string[];
  readonly seconds: number;
  readonly rounds: number;
  readonly jsonFile: string | undefined;
}

export const usage: string = `Usage: npm run bench:overlay -- [options]

Measures the data path of the overlay beside bridges and the kernel's VXLAN, in network namespaces, in turns.
Needs root, iproute2, iperf3, libbpf and bpf/dist/overlay.o.

  --only NAME,...   only these: tcp, udp, latency, same-host, packet, or longer names such as tcp-1-forth,
                    udp-64, latency-first-packet (default: all)
  --paths NAME,...  only these: bridge, bridge-plain, vxlan, caravan-tcx, caravan-xdp (default: all)
  --seconds N       length of one measurement (default 5)
  --rounds N        measurements of each load on each path (default 10)
  --json FILE       write every single measurement to FILE
`;

function positiveInteger(name: string, text: string, maximum: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > maximum)
    throw new TypeError(`--${name}: ${text} is not a number from 1 to ${maximum}`);
  return value;
}

/** Whether `pattern` names this load or its family. */
export function matches(load: string, pattern: string): boolean {
  return load === pattern || load.startsWith(`${pattern}-`);
}

/** Throws TypeError with a line for the user; undefined: help was asked for. */
export function parseOptions(parameters: readonly string[], loads: readonly string[], paths: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...parameters],
    options: {
      only: { type: 'string', default: '' },
      paths: { type: 'string', default: '' },
      seconds: { type: 'string', default: '5' },
      rounds: { type: 'string', default: '10' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const list = (text: string): string[] => text.split(',').filter((name) => name !== '');
  const only = list(values.only);
  for (const name of only)
    if (!loads.some((load) => matches(load, name))) throw new TypeError(`--only: no load is called ${name}; there are ${loads.join(', ')}`);
  const chosen = list(values.paths);
  for (const name of chosen)
    if (!paths.includes(name)) throw new TypeError(`--paths: no path is called ${name}; there are ${paths.join(', ')}`);
  return {
    only,
    paths: chosen,
    seconds: positiveInteger('seconds', values.seconds, 600),
    rounds: positiveInteger('rounds', values.rounds, 100),
    jsonFile: values.json,
  };
}
