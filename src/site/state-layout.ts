import { InputError } from '../base/errors.ts';
import { SchemaProblem } from '../management/schema.ts';
import { siteName } from './resources.ts';

/**
 * Where a site keeps what it must not forget. One folder per namespace:
 *
 *   <root>/namespaces/<namespace>/
 *     state.json            version of this layout
 *     input/resources/      what the user applied, one file per resource: <Kind>-<name>.yaml
 *     input/certs/<name>/   certificates the user supplies: ca.crt, tls.crt, tls.key
 *     runtime/pki/          the site's key, certificates, grants (mode 0700)
 *     runtime/certs/<name>/ certificates out of Secrets, as sslProfiles name them
 *     runtime/router/       router.json (the configuration last derived), router.log
 *     runtime/resources/    resources with their status, as last seen
 *     runtime/audit.jsonl   the audit log, with .1 to .3 the files before it
 *     runtime/starts.json   when the site was started after an end that nobody asked for
 *     runtime/management.sock
 *     runtime/observer/     the observer's history and logins (mode 0700)
 *     runtime/observer.sock
 *     runtime/supervisor.pid
 */
export interface SiteLayout {
  readonly folder: string;
  readonly stateFile: string;
  readonly resourceFolder: string;
  readonly suppliedCertificateFolder: string;
  readonly runtimeFolder: string;
  readonly pkiFolder: string;
  readonly certificateFolder: string;
  readonly routerFolder: string;
  readonly routerConfigurationFile: string;
  readonly logFile: string;
  readonly statusFolder: string;
  readonly auditFile: string;
  readonly startsFile: string;
  readonly pidFile: string;
  /** The management socket. Outside of `folder` when its path there would be too long for a socket. */
  readonly managementSocket: string;
  /** Folder of the socket that must exist with mode 0700 and belong to the user before anyone listens or connects there. */
  readonly managementSocketFolder: string;
  /** Folder of the observer, if one was ever run. */
  readonly observerFolder: string;
  /** Where a running observer answers without login. Outside of `folder` as `managementSocket`. */
  readonly observerSocket: string;
  /** As `managementSocketFolder`, for the socket of the observer. */
  readonly observerSocketFolder: string;
}

export interface Environment {
  readonly XDG_DATA_HOME?: string | undefined;
  readonly XDG_RUNTIME_DIR?: string | undefined;
  readonly TMPDIR?: string | undefined;
}

export interface Account {
  readonly uid: number;
  /** Home folder, absolute. */
  readonly home: string;
}

/** Longest path of a unix socket in bytes: sockaddr_un has 108 with the closing zero on Linux. */
export const socketPathLimitBytes = 107;

/** The folder that holds the namespaces of an account: the XDG data folder, or /var/lib for root. */
export function stateRoot(environment: Environment, account: Account): string {
  // The XDG specification says to ignore relative paths.
  const dataHome = absolute(environment.XDG_DATA_HOME);
  if (dataHome !== undefined) return `${dataHome}/caravan`;
  return account.uid === 0 ? '/var/lib/caravan' : `${withoutSlash(account.home)}/.local/share/caravan`;
}

/** The folder in which each namespace has its own. */
export function namespacesFolder(root: string): string {
  return `${root}/namespaces`;
}

/** Everything of one namespace. Throws InputError when `namespace` cannot be a folder name. */
export function siteLayout(namespace: string, environment: Environment, account: Account): SiteLayout {
  checkNamespace(namespace);
  const folder = `${namespacesFolder(stateRoot(environment, account))}/${namespace}`;
  const runtimeFolder = `${folder}/runtime`;
  const routerFolder = `${runtimeFolder}/router`;
  const management = socketOf(runtimeFolder, 'management', environment, account);
  const observer = socketOf(runtimeFolder, 'observer', environment, account);
  return {
    folder,
    stateFile: `${folder}/state.json`,
    resourceFolder: `${folder}/input/resources`,
    suppliedCertificateFolder: `${folder}/input/certs`,
    runtimeFolder,
    pkiFolder: `${runtimeFolder}/pki`,
    certificateFolder: `${runtimeFolder}/certs`,
    routerFolder,
    routerConfigurationFile: `${routerFolder}/router.json`,
    logFile: `${routerFolder}/router.log`,
    statusFolder: `${runtimeFolder}/resources`,
    auditFile: `${runtimeFolder}/audit.jsonl`,
    startsFile: `${runtimeFolder}/starts.json`,
    pidFile: `${runtimeFolder}/supervisor.pid`,
    managementSocket: management.path,
    managementSocketFolder: management.folder,
    observerFolder: `${runtimeFolder}/observer`,
    observerSocket: observer.path,
    observerSocketFolder: observer.folder,
  };
}

/** Longest name of a resource's file in bytes: file systems allow 255, and while it is written a prefix is added. */
const resourceFileNameLimitBytes = 220;

/** Name of the file that keeps a resource in `resourceFolder`. A name too long for a file is cut and gets a hash. */
export function resourceFileName(kind: string, name: string): string {
  const whole = `${kind}-${name}.yaml`;
  if (whole.length <= resourceFileNameLimitBytes) return whole;
  // Names of resources are ASCII and have no '~'.
  const end = `~${hash(name)}.yaml`;
  return `${whole.slice(0, resourceFileNameLimitBytes - end.length)}${end}`;
}

function checkNamespace(namespace: string): void {
  try {
    siteName.read(namespace, []);
  } catch (error) {
    if (error instanceof SchemaProblem) throw new InputError('namespace-invalid', 'namespace', error.message);
    throw error;
  }
}

/**
 * A socket lies in the runtime folder where its path fits. Otherwise it lies in a folder of the user's own under
 * XDG_RUNTIME_DIR or the folder for temporary files, named by a hash of the runtime folder, so that every tool finds it.
 */
function socketOf(
  runtimeFolder: string,
  kind: 'management' | 'observer',
  environment: Environment,
  account: Account,
): { readonly path: string; readonly folder: string } {
  const runtimeDirectory = absolute(environment.XDG_RUNTIME_DIR);
  const temporary = `${absolute(environment.TMPDIR) ?? '/tmp'}/caravan-${account.uid}`;
  const name = `${hash(runtimeFolder)}${kind === 'management' ? '' : `-${kind}`}.sock`;
  const candidates = [
    { folder: runtimeFolder, path: `${runtimeFolder}/${kind}.sock` },
    ...(runtimeDirectory === undefined ? [] : [{ folder: `${runtimeDirectory}/caravan`, path: `${runtimeDirectory}/caravan/${name}` }]),
    { folder: temporary, path: `${temporary}/${name}` },
  ];
  const last = { folder: `/tmp/caravan-${account.uid}`, path: `/tmp/caravan-${account.uid}/${name}` };
  return candidates.find((candidate) => byteLength(candidate.path) <= socketPathLimitBytes) ?? last;
}

/** FNV-1a, 64 bits, in hexadecimal: names a path, proves nothing. */
function hash(text: string): string {
  let value = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) value = BigInt.asUintN(64, (value ^ BigInt(byte)) * 0x100000001b3n);
  return value.toString(16).padStart(16, '0');
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

function absolute(path: string | undefined): string | undefined {
  return path?.startsWith('/') === true ? withoutSlash(path) : undefined;
}

function withoutSlash(path: string): string {
  return path.replace(/\/+$/, '');
}
