import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Below the ports that systems give to outgoing connections: one of those could take the port while its router is dead. */
const firstPort = 12_000;
const lastPort = 31_000;
/** The first port of a block is held by the process that gives the others away: processes that run at the same time have different blocks. */
const blockPorts = 100;
const blockAttempts = 1_000;

/** What is left of this process's block. */
let next = 0;
let end = 0;

/** A port of 127.0.0.1 that nobody listens on, and that neither this process nor another one that asks here has been given. */
export async function freePort(): Promise<number> {
  for (;;) {
    if (next >= end) await takeBlock();
    const port = next++;
    if (port < end && (await isFree(port))) return port;
  }
}

async function takeBlock(): Promise<void> {
  for (let attempt = 0; attempt < blockAttempts; attempt++) {
    const block = firstPort + blockPorts * randomInt((lastPort - firstPort) / blockPorts);
    if (!(await hold(block))) continue;
    next = block + 1;
    end = block + blockPorts;
    return;
  }
  throw new Error('no block of ports is free');
}

/** Listens on the port until this process ends, which it does not hinder. */
async function hold(port: number): Promise<boolean> {
  const server = createServer().unref();
  return await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => resolve(true));
  });
}

/** Whether nobody listens on a port of 127.0.0.1. */
export async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
