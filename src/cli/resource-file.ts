import { InputError } from '../base/errors.ts';
import { parseResources } from '../site/resources.ts';
import type { Resource } from '../site/resource-types.ts';
import { yamlLengthLimit } from '../site/yaml-text.ts';
import type { Call } from './call.ts';
import type { Option } from './command.ts';
import { readTextFile } from './read-text-file.ts';

export const fileOption: Readonly<Record<string, Option>> = {
  filename: { short: 'f', value: 'FILE', meaning: 'YAML or JSON with one or more resources; - for standard input' },
};

/** The resources of the file that `-f` names. */
export async function readResourceFile(call: Call): Promise<{ readonly where: string; readonly resources: readonly Resource[] }> {
  const file = call.text('filename');
  if (file === undefined) {
    throw new InputError('missing-option', '-f', 'the file with the resources is needed', { remedy: `van ${call.verb} -f FILE` });
  }
  const where = file === '-' ? 'standard input' : file;
  const resources = parseResources(await readTextFile(call, file, yamlLengthLimit), where);
  if (resources.length === 0) throw new InputError('no-resources', where, 'has no resources in it');
  return { where, resources };
}
