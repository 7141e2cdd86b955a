import type { Shell } from './command.ts';

/** A shell for tests that keeps what is written. */
export class TestShell implements Shell {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly input: string;
  out = '';
  error = '';

  constructor(environment: Readonly<Record<string, string | undefined>> = {}, input = '') {
    this.environment = environment;
    this.input = input;
  }

  writeOut(text: string): void {
    this.out += text;
  }

  writeError(text: string): void {
    this.error += text;
  }

  readInput(): Promise<string> {
    return Promise.resolve(this.input);
  }
}
