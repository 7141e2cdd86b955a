import { InputError } from '../base/errors.ts';
import type { OverlayConfiguration } from './configuration/configuration.ts';

/** What may be another one while the daemon runs. */
const changing: ReadonlySet<string> = new Set<keyof OverlayConfiguration>(['hosts', 'epoch', 'resources']);

/** Makes sure that a configuration can take the place of the one before while the daemon runs. `file` names it. Throws InputError. */
export function checkReload(before: OverlayConfiguration, next: OverlayConfiguration, file: string): void {
  const fixed = Object.keys(before).find((key) => !changing.has(key) && !isSame(before, next, key as keyof OverlayConfiguration));
  if (fixed !== undefined) {
    const name = fixed === 'self' ? 'host' : fixed;
    throw new InputError('needs-start', `${file}: ${name}`, 'is another one, which takes a new start of the daemon', {
      remedy: 'stop it and start it again: pods keep their network',
    });
  }
  if (next.epoch < before.epoch || (next.epoch === before.epoch && !isSame(before, next, 'hosts'))) {
    throw new InputError('old-epoch', `${file}: epoch`, `the list of hosts is another one than that of epoch ${before.epoch}`, {
      remedy: `write ${before.epoch + 1}, at all hosts`,
    });
  }
}

function isSame(one: OverlayConfiguration, other: OverlayConfiguration, key: keyof OverlayConfiguration): boolean {
  return JSON.stringify(one[key]) === JSON.stringify(other[key]);
}
