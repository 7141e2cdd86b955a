import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { VanSandbox } from './van-sandbox.ts';

const launcher = join(import.meta.dirname, '../../van');

/** Sets what bash sets when a key is pressed, calls the function that the script has named, and prints what bash would offer. */
const driver = `
source "$1"
COMP_LINE=$2
COMP_POINT=\${#COMP_LINE}
read -ra COMP_WORDS <<< "$COMP_LINE"
[[ $COMP_LINE == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$(( \${#COMP_WORDS[@]} - 1 ))
function=$(complete -p van | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
"$function"
printf '%s\\n' "\${COMPREPLY[@]}"
`;

const shells = ['zsh', 'fish'] as const;

test('bash completes commands, options, and names that the running site knows', async () => {
  await using sandbox = await VanSandbox.make();
  const script = sandbox.file('van.bash');
  await writeFile(script, await sandbox.done('completion bash'));
  // The command line as it is typed names the program; here it is not on the PATH.
  const offered = (line: string): readonly string[] => {
    const { stdout, stderr, status } = spawnSync('bash', ['--norc', '--noprofile', '-c', driver, 'bash', script, `${launcher} ${line}`], {
      cwd: sandbox.folder,
      env: { ...process.env, ...sandbox.environment },
      encoding: 'utf8',
      timeout: 20_000,
    });
    assert.deepEqual([status, stderr], [0, ''], line);
    return stdout.split('\n').filter((word) => word !== '');
  };
  assert.deepEqual(offered('tok'), ['token']);
  assert.deepEqual(offered('token '), ['issue', 'redeem']);
  assert.deepEqual(offered('check -o s'), ['short']);
  assert.ok(offered('ping --').includes('--interval'));
  // Nobody answers: nothing is offered, and nothing is said.
  assert.deepEqual(offered('-n east ping '), []);
  await sandbox.done('-n east site create east');
  await sandbox.done('-n east connector create backend 8080 --wait none');
  assert.deepEqual(offered('-n east ping '), ['backend', 'east']);
  assert.deepEqual(offered('-n east connector delete b'), ['backend']);
  assert.deepEqual(offered('-n ea'), ['east']);
  await writeFile(sandbox.file('token.yaml'), '');
  assert.deepEqual(offered('token redeem tok'), ['token.yaml']);
});

for (const shell of shells) {
  const isMissing = spawnSync(shell, ['--version']).status !== 0;
  test(`${shell} accepts its script`, { skip: isMissing && `${shell} is not on the PATH` }, async () => {
    await using sandbox = await VanSandbox.make();
    const script = sandbox.file('script');
    await writeFile(script, await sandbox.done(`completion ${shell}`));
    const { status, stderr } = spawnSync(shell, ['-n', script], { encoding: 'utf8' });
    assert.deepEqual([status, stderr], [0, '']);
  });
}
