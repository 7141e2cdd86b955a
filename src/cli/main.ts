import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';

// Compiled sources are kept between calls. The folder is the user's own: whoever can write there can change what runs.
const cacheHome = process.env['XDG_CACHE_HOME'];
enableCompileCache(`${cacheHome?.startsWith('/') === true ? cacheHome : `${homedir()}/.cache`}/caravan/compiled`);

const { processShell } = await import('./process-shell.ts');
const { runCommand } = await import('./run-command.ts');
process.exitCode = await runCommand(process.argv.slice(2), processShell());
