import { statSync } from 'node:fs';

/**
 * What tells names of this host in the folder of network namespaces from those of other hosts on the machine: hosts that are namespaces themselves
 * share it. Empty for the machine's own.
 */
export function ownNamespaceTag(): string {
  const own = namespaceNumber('self');
  return own === undefined || own === namespaceNumber('1') ? '' : String(own);
}

/** Undefined when it is not for us to see. */
function namespaceNumber(process: 'self' | '1'): number | undefined {
  try {
    return statSync(`/proc/${process}/ns/net`).ino;
  } catch {
    return undefined;
  }
}
