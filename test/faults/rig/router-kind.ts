import { findProgram } from '../../../bench/tools.ts';
import { nodeFlags } from '../../../src/host/node-flags.ts';
import { commandLineFile } from '../../e2e/router-process.ts';

/** A router program under the same configuration, load and faults. */
export interface RouterKind {
  readonly name: 'caravan' | 'skupper-router';
  /** The command line; the configuration file comes last. */
  readonly command: readonly string[];
  /** The line that says it runs. */
  readonly ready: RegExp;
  /** The line that says it uses a link to the peer; `left`: that it no longer does. */
  readonly uses: (peerId: string) => RegExp;
  readonly left: (peerId: string) => RegExp;
  /** Attributes of its sslProfile that the other does not have. */
  readonly ownNetwork: boolean;
}

export const caravan: RouterKind = {
  name: 'caravan',
  command: [process.execPath, ...nodeFlags, commandLineFile, 'router', '--config'],
  ready: /router is running/,
  uses: (peerId) => new RegExp(`neighbourUp routerId="${peerId}"`),
  left: (peerId) => new RegExp(`neighbourDown routerId="${peerId}"`),
  ownNetwork: true,
};

export const skupperRouter: RouterKind = {
  name: 'skupper-router',
  command: ['skrouterd', '-c'],
  ready: /Router started/,
  // It logs the whole table of next hops each time it computes one; a neighbour that is used is its own next hop.
  uses: (peerId) => new RegExp(`Computed next hops: .*'${peerId}': '${peerId}'`),
  left: (peerId) => new RegExp(`Computed next hops: (?!.*'${peerId}': '${peerId}')`),
  ownNetwork: false,
};

/** Caravan, and skupper-router where it is installed and peers are asked for. */
export function routerKinds(withPeers: boolean): readonly RouterKind[] {
  return withPeers && findProgram('skrouterd') !== undefined ? [caravan, skupperRouter] : [caravan];
}
