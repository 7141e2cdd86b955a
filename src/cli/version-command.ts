import type { Command } from './command.ts';
import { printResult } from './output.ts';
import { version } from './version.ts';

export const command: Command = {
  parameters: [],
  options: {},
  description: '',
  examples: [
    { line: 'van version', meaning: 'The version of this program' },
    { line: 'van version -o json', meaning: 'With the version of Node that it runs on' },
  ],
  async run(call) {
    const data = { version, node: process.versions.node, platform: `${process.platform}-${process.arch}` };
    await printResult(call, data, () => `van ${version}\n`);
    return 0;
  },
};
