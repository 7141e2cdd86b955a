import { cniCode, CniError } from './cni-error.ts';
import { memberOf, type JsonObject } from './json.ts';

/** What a runtime says in the environment of the plugin. An empty variable counts as absent: runtimes set them all. */

export const cniCommands = ['ADD', 'DEL', 'CHECK', 'STATUS', 'GC', 'VERSION'] as const;

export type CniCommand = (typeof cniCommands)[number];

/** An interface in a container: what all state is kept under. */
export interface AttachmentKey {
  readonly containerId: string;
  readonly ifname: string;
}

/** The pod that a kubelet makes the container for. */
export interface PodReference {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string | undefined;
}

export interface CniEnvironment {
  readonly command: CniCommand;
  /** Present for ADD, DEL and CHECK. */
  readonly key: AttachmentKey | undefined;
  /** Path of the network namespace; always present for ADD and CHECK. */
  readonly netns: string | undefined;
  /** CNI_ARGS, all of them. */
  readonly parameters: ReadonlyMap<string, string>;
  readonly pod: PodReference | undefined;
}

/** Longest container id: runtimes have 64 characters; it becomes part of records that are kept. */
const containerIdLimit = 256;
/** IFNAMSIZ less the closing zero. */
const ifnameOctets = 15;
/** Longest path that Linux takes. */
const pathLimit = 4096;
/** Most pairs in CNI_ARGS; a kubelet has 5. */
const parameterLimit = 64;

const needsOf: Readonly<Record<CniCommand, readonly ('CNI_CONTAINERID' | 'CNI_NETNS' | 'CNI_IFNAME')[]>> = {
  ADD: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  DEL: ['CNI_CONTAINERID', 'CNI_IFNAME'],
  CHECK: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  STATUS: [],
  GC: [],
  VERSION: [],
};

/** Throws CniError (invalid environment). */
export function readEnvironment(variables: JsonObject): CniEnvironment {
  const valueOf = (name: string): string | undefined => {
    const value = memberOf(variables, name);
    if (value !== undefined && typeof value !== 'string') throw wrong(`${name} is no text`);
    return value === '' ? undefined : value;
  };
  const commandName = valueOf('CNI_COMMAND');
  const command = cniCommands.find((candidate) => candidate === commandName);
  if (command === undefined) throw wrong(`CNI_COMMAND must be ${cniCommands.slice(0, -1).join(', ')} or VERSION`);
  const missing = needsOf[command].filter((name) => valueOf(name) === undefined);
  if (missing.length > 0) throw wrong(`${command} needs ${missing.join(', ')}`);

  const parameters = readParameters(valueOf('CNI_ARGS') ?? '');
  const netns = valueOf('CNI_NETNS');
  if (netns !== undefined && (!netns.startsWith('/') || netns.length > pathLimit || netns.includes('\0'))) {
    throw wrong('CNI_NETNS must be an absolute path');
  }
  const containerId = valueOf('CNI_CONTAINERID');
  const ifname = valueOf('CNI_IFNAME');
  const key =
    needsOf[command].length > 0 && containerId !== undefined && ifname !== undefined ? readKey(containerId, ifname, wrong) : undefined;
  return { command, key, netns, parameters, pod: podOf(parameters) };
}

/** A key by the rules of the specification; what breaks them becomes the error of `fail`. */
export function readKey(containerId: string, ifname: string, fail: (message: string) => CniError): AttachmentKey {
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(containerId) || containerId.length > containerIdLimit) {
    throw fail(
      `a container id must be at most ${containerIdLimit} letters, digits, '_', '.' and '-', and begin with a letter or digit: '${containerId.slice(0, 80)}'`,
    );
  }
  const octets = new TextEncoder().encode(ifname).length;
  if (ifname === '' || ifname === '.' || ifname === '..' || octets > ifnameOctets || /[/:\s\p{Cc}]/u.test(ifname)) {
    throw fail(
      `an interface name must be 1 to ${ifnameOctets} octets without '/', ':' and spaces, and not '.' or '..': '${ifname.slice(0, 80)}'`,
    );
  }
  return { containerId, ifname };
}

/** `A=1;B=2`. Of a key that stands twice the last one counts. */
function readParameters(text: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const pair of text.split(';')) {
    if (pair === '') continue;
    const at = pair.indexOf('=');
    if (at < 1) throw wrong(`CNI_ARGS must be KEY=VALUE pairs with ';' between them, not '${pair.slice(0, 80)}'`);
    if (parameters.size === parameterLimit) throw wrong(`CNI_ARGS has more than ${parameterLimit} pairs`);
    parameters.set(pair.slice(0, at), pair.slice(at + 1));
  }
  return parameters;
}

function podOf(parameters: ReadonlyMap<string, string>): PodReference | undefined {
  const namespace = parameters.get('K8S_POD_NAMESPACE');
  const name = parameters.get('K8S_POD_NAME');
  if (namespace === undefined || namespace === '' || name === undefined || name === '') return undefined;
  const uid = parameters.get('K8S_POD_UID');
  return { namespace, name, uid: uid === '' ? undefined : uid };
}

function wrong(message: string): CniError {
  return new CniError(cniCode.invalidEnvironment, message);
}
