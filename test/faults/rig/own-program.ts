import { join } from 'node:path';
import { Program } from './program.ts';

const programs = join(import.meta.dirname, '../programs');

/** A program of the rig on this host, without a network of its own. Dispose it with `stop`. */
export async function startProgram(file: string, parameters: readonly string[], ready: RegExp): Promise<Program> {
  const program = new Program(file, [process.execPath, join(programs, `${file}.ts`), ...parameters], { answers: true });
  await program.logged(ready);
  return program;
}
