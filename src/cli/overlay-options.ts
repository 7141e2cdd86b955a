import { InputError } from '../base/errors.ts';
import type { Call } from './call.ts';
import type { Option } from './command.ts';

/** The option that commands of the overlay share. */
export const overlayConfigurationOption: Option = {
  short: 'c',
  value: 'FILE',
  meaning: "configuration of this host's part of the overlay, YAML",
};

/** Throws InputError when it is not given. */
export function neededConfiguration(call: Call): string {
  const file = call.text('config');
  if (file !== undefined) return file;
  throw new InputError('missing-option', '--config', 'the file with the configuration of the overlay is needed', {
    remedy: 'van overlay run --config overlay.yaml',
  });
}
