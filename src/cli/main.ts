import { run } from './router.ts';
process.exitCode = await run(process.argv.slice(3));
