import { randomBytes } from 'node:crypto';
import { InputError } from '../base/errors.ts';
import { passwordMaxLength, Passwords } from '../observer/web-passwords.ts';
import type { Command } from './command.ts';
import { printDone } from './output.ts';
import { noSite, SiteSession } from './site-session.ts';

/** 144 bits, as 24 characters. */
const generatedBytes = 18;
const maxInputBytes: number = 4 * passwordMaxLength + 2;

export const command: Command = {
  parameters: [{ name: 'USER', meaning: 'who logs in with it' }],
  options: {
    stdin: { meaning: 'takes the password from standard input instead of making one' },
    remove: { meaning: 'removes the user' },
  },
  description:
    'Adds the user or changes the password, also while the observer runs. Sessions of that user end. Only a hash is kept. A password of\n' +
    'your own has 12 to 256 characters.',
  examples: [
    { line: 'van console password ada', meaning: 'Makes a password and prints it, once' },
    { line: 'van console password ada --stdin < password.txt', meaning: 'Takes the first line of a file' },
    { line: 'van console password ada --remove', meaning: 'ada cannot log in any more' },
  ],
  async run(call) {
    const session = new SiteSession(call);
    if (!(await session.exists())) throw noSite(call);
    const user = call.parameter('USER');
    const passwords = new Passwords(session.layout.observerFolder, () => performance.now());
    if (call.flag('remove')) {
      if (!(await passwords.remove(user))) throw new InputError('unknown-user', 'USER', `there is no user '${user}'`);
      await printDone(call, `User ${user} is removed.`, { user, removed: true });
      return 0;
    }
    if (call.flag('stdin')) {
      const [password = ''] = (await call.shell.readInput(maxInputBytes)).split(/\r?\n/);
      await passwords.set(user, password);
      await printDone(call, `The password of ${user} is set.`, { user });
      return 0;
    }
    const password = randomBytes(generatedBytes).toString('base64url');
    await passwords.set(user, password);
    await printDone(call, `The password of ${user} is: ${password}`, { user, password });
    return 0;
  },
};
