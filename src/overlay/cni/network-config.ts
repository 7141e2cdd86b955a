import { cniCode, CniError } from './cni-error.ts';
import { readKey, type AttachmentKey } from './cni-environment.ts';
import { readVersion, type CniVersion } from './cni-version.ts';
import { invalid, isObject, memberOf, objectOf, objectsOf, textOf, textsOf, type JsonObject } from './json.ts';
import type { Labels } from '../resources/resource-types.ts';
import { configuredLabels } from './pod-labels.ts';
import { configuredName, type NameWish } from './pod-name.ts';
import type { DnsSettings } from './pod-network.ts';
import { readPreviousResult, type PreviousResult } from './cni-result.ts';

/** The configuration that comes on standard input, for one call. */
export interface NetworkConfig {
  readonly cniVersion: CniVersion;
  readonly name: string;
  readonly type: string;
  readonly vpc: string | undefined;
  readonly subnet: string | undefined;
  /** What is asked for by `runtimeConfig` (capabilities) or `args.cni`, without prefix lengths. */
  readonly addresses: readonly string[];
  readonly mac: string | undefined;
  /** What services and policies select the pod by. */
  readonly labels: Labels;
  readonly podName: NameWish;
  readonly dns: DnsSettings | undefined;
  readonly previous: PreviousResult | undefined;
  /** What GC is to keep; absent from other calls. */
  readonly validAttachments: readonly AttachmentKey[] | undefined;
  /** All of it, with what is not known here. */
  readonly fields: JsonObject;
}

/** Throws CniError: incompatible version, unsupported field or invalid configuration. */
export function readNetworkConfig(fields: JsonObject): NetworkConfig {
  const cniVersion = readVersion(memberOf(fields, 'cniVersion'));
  const name = textOf(fields, 'name');
  if (name === undefined || !/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) {
    throw invalid('name', "a text of letters, digits, '_', '.' and '-' that begins with a letter or digit");
  }
  const type = textOf(fields, 'type');
  if (type === undefined || type === '') throw invalid('type', 'the name of the plugin');
  refuseUnsupported(fields);

  const runtime = objectOf(fields, 'runtimeConfig') ?? {};
  const requested = objectOf(objectOf(fields, 'args') ?? {}, 'cni', 'args.') ?? {};
  const addresses = textsOf(runtime, 'ips', 'runtimeConfig.') ?? textsOf(requested, 'ips', 'args.cni.') ?? [];
  return {
    cniVersion,
    name,
    type,
    vpc: textOf(fields, 'vpc'),
    subnet: textOf(fields, 'subnet'),
    addresses: addresses.map((address) => address.split('/')[0] ?? address),
    mac: textOf(runtime, 'mac', 'runtimeConfig.') ?? textOf(requested, 'mac', 'args.cni.'),
    labels: configuredLabels(fields),
    podName: configuredName(fields),
    dns: readDns(objectOf(fields, 'dns'), 'dns.'),
    previous: readPreviousResult(objectOf(fields, 'prevResult')),
    validAttachments: readValidAttachments(fields),
    fields,
  };
}

/** Keys that would change what a pod gets, and do nothing here: to overlook them would be a lie. */
function refuseUnsupported(fields: JsonObject): void {
  const ipam = memberOf(fields, 'ipam');
  if (isObject(ipam) ? Object.keys(ipam).length > 0 : ipam !== undefined) {
    throw new CniError(cniCode.unsupportedField, "'ipam' is not supported", 'addresses come from the subnet');
  }
  const masquerade = memberOf(fields, 'ipMasq');
  if (masquerade !== undefined && masquerade !== false) {
    throw new CniError(cniCode.unsupportedField, "'ipMasq' is not supported", 'the way out of a VPC is a part of the VPC');
  }
}

function readDns(dns: JsonObject | undefined, where: string): DnsSettings | undefined {
  if (dns === undefined) return undefined;
  return {
    nameservers: textsOf(dns, 'nameservers', where) ?? [],
    domain: textOf(dns, 'domain', where),
    search: textsOf(dns, 'search', where) ?? [],
    options: textsOf(dns, 'options', where) ?? [],
  };
}

function readValidAttachments(fields: JsonObject): readonly AttachmentKey[] | undefined {
  const name = 'cni.dev/valid-attachments';
  return objectsOf(fields, name)?.map((entry, index) => {
    const where = `${name}[${index}].`;
    return readKey(
      textOf(entry, 'containerID', where) ?? '',
      textOf(entry, 'ifname', where) ?? '',
      (message) => new CniError(cniCode.invalidConfig, `'${name}[${index}]': ${message}`),
    );
  });
}
