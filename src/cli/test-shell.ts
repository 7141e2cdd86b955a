import type { Shell } from './command.ts';

/** A shell for tests that keeps what is written. */
export class TestShell implements Shell {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly input: string;
  readonly isReaderGone = false;
  out = '';
  error = '';

  constructor(environment: Readonly<Record<string, string | undefined>> = {}, input = '') {
    this.environment = environment;
    this.input = input;
  }

  writeOut(text: string | Uint8Array): void {
    this.out += typeof text === 'string' ? text : Buffer.from(text).toString();
  }

  writeError(text: string): void {
    this.error += text;
  }

  readInput(): Promise<string> {
    return Promise.resolve(this.input);
  }
}
