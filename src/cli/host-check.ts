import { WeatherError } from '../base/errors.ts';

/** One of the things that a machine needs. */
export interface HostCheck {
  /** Stable, for scripts. */
  readonly code: string;
  /** What is so when all is well. */
  readonly description: string;
  readonly result: 'ok' | 'warning' | 'error' | 'skipped';
  /** The first version of Linux or libbpf that has it; null where that does not matter. */
  readonly since: string | null;
  /** What was found, or the cause. */
  readonly seen: string;
  readonly remedy: string | null;
}

export function skipped(code: string, description: string, seen: string): HostCheck {
  return { code, description, result: 'skipped', since: null, seen, remedy: null };
}

/** What was thrown, as a check that failed. Throws what is no weather. */
export function failed(code: string, description: string, error: unknown, result: 'error' | 'warning' = 'error'): HostCheck {
  if (!(error instanceof WeatherError)) throw error;
  return { code, description, result, since: null, seen: error.message, remedy: error.remedy ?? null };
}
