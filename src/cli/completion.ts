import { readdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { WeatherError } from '../base/errors.ts';
import { layoutOf } from '../supervisor/process-environment.ts';
import { siteClient } from '../supervisor/site-client.ts';
import type { NetworkReport } from '../supervisor/site-requests.ts';
import type { Call } from './call.ts';
import type { Command } from './command.ts';
import { complete, type NameSource } from './completion-candidates.ts';
import { completionScripts, filesMark } from './completion-scripts.ts';
import { parseChoice } from './option-values.ts';
import type { SiteReport } from './site-session.ts';

const shells = ['bash', 'zsh', 'fish'] as const;
/** Somebody has pressed a key and waits: a site that does not answer within this time has no names. */
const answerTimeoutMs = 700;
/** More names are of no help, and shells get slow. */
const maxCandidates = 500;
const maxMeaningLength = 80;

export const command: Command = {
  parameters: [{ name: 'SHELL', meaning: 'bash, zsh or fish' }],
  options: {
    words: { value: 'LINES', meaning: 'for the script: words of a command line up to the cursor, one in each line, and a dot' },
  },
  description:
    'The script completes commands, options and the names of sites, services and resources, which it asks from the running site. It takes effect in shells\n' +
    'that are started after it is set up.',
  examples: [
    { line: 'van completion bash > ~/.local/share/bash-completion/completions/van', meaning: 'Set it up for bash' },
    { line: 'van completion zsh > ~/.zfunc/_van', meaning: 'For zsh, with fpath+=~/.zfunc before compinit in ~/.zshrc' },
    { line: 'van completion fish > ~/.config/fish/completions/van.fish', meaning: 'For fish' },
  ],
  async run(call) {
    const shell = parseChoice(call.parameter('SHELL'), 'SHELL', shells);
    const lines = call.text('words');
    if (lines === undefined) {
      call.shell.writeOut(completionScripts[shell]);
      return 0;
    }
    const words = lines.replace(/\n\.$/, '').split('\n');
    const completion = await complete(words, (namespace) => siteNames(call, namespace)).catch(() => ({ candidates: [] }));
    if (completion === 'files') {
      call.shell.writeOut(`${filesMark}\n`);
      return 0;
    }
    const shown = completion.candidates.filter(({ word }) => isPlain(word)).slice(0, maxCandidates);
    call.shell.writeOut(shown.map(({ word, meaning }) => `${word}\t${firstPart(meaning)}\n`).join(''));
    return 0;
  },
};

/** Names come from the network: only what no shell takes for anything else. */
function isPlain(word: string): boolean {
  return /^[\w./:@%+,=-]{1,256}$/.test(word);
}

function firstPart(meaning: string): string {
  const line = meaning.split('\n')[0] ?? '';
  return line.length <= maxMeaningLength ? line : `${line.slice(0, maxMeaningLength - 1)}…`;
}

/** Asks the site of a namespace, of which nobody needs to know that it does not answer. */
function siteNames(call: Call, given: string | undefined): NameSource {
  const { environment } = call.shell;
  const namespace = given ?? call.namespace;
  const ask = async <Body>(operation: string): Promise<Body | undefined> => {
    try {
      return await siteClient(namespace, environment).request<Body>({ operation }, { timeoutMs: answerTimeoutMs });
    } catch (error) {
      if (error instanceof WeatherError) return undefined;
      throw error;
    }
  };
  let network: Promise<NetworkReport | null | undefined> | undefined;
  const askNetwork = (): Promise<NetworkReport | null | undefined> => (network ??= ask<NetworkReport | null>('NETWORK'));
  return {
    namespaces: async () => await readdir(dirname(layoutOf('default', environment).folder)).catch(() => []),
    sites: async () => (await askNetwork())?.sites.map(({ name }) => name) ?? [],
    services: async () => (await askNetwork())?.services.map(({ routingKey }) => routingKey) ?? [],
    resources: async (kind) => {
      const report = await ask<SiteReport>('STATUS');
      return report?.resources.filter((resource) => resource.kind === kind).map(({ metadata }) => metadata.name) ?? [];
    },
  };
}
