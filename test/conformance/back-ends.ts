import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '../e2e/ports.ts';

/** A server that answers with what it made of the request: `echo method target host`, and the body in hexadecimal where it can. */
export interface BackEnd {
  readonly name: string;
  readonly port: number;
  /** The echo has the body at its end. */
  readonly echoesBody: boolean;
  stop(): Promise<void>;
}

/** Why one cannot be started here. */
export interface MissingBackEnd {
  readonly name: string;
  readonly missing: string;
}

export async function nodeBackEnd(): Promise<BackEnd> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      response.end(`echo ${request.method} ${request.url} ${request.headers.host} ${Buffer.concat(chunks).toString('hex')}`);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    name: 'node',
    port,
    echoesBody: true,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export async function haproxyBackEnd(): Promise<BackEnd | MissingBackEnd> {
  return startProgram('haproxy', ['haproxy'], true, (program, folder, port) => {
    const file = join(folder, 'haproxy.cfg');
    writeFileSync(
      file,
      `defaults
  mode http
  timeout client 5s
  timeout connect 5s
  timeout server 5s
  option http-buffer-request
frontend all
  bind 127.0.0.1:${port}
  http-request return status 200 content-type text/plain lf-string "echo %[method] %[url] %[req.fhdr(host)] %[req.body,hex]"
`,
    );
    return [program, ['-f', file]];
  });
}

export async function nginxBackEnd(): Promise<BackEnd | MissingBackEnd> {
  return startProgram('nginx', ['nginx'], false, (program, folder, port) => {
    const file = join(folder, 'nginx.conf');
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join('\n');
    writeFileSync(
      file,
      `daemon off;
master_process off;
pid ${folder}/pid;
error_log /dev/null;
events { worker_connections 256; }
http {
  access_log off;
  ${temporary}
  default_type text/plain;
  server {
    listen 127.0.0.1:${port};
    location / { return 200 "echo $request_method $request_uri $http_host"; }
  }
}
`,
    );
    return [program, ['-c', file, '-p', folder, '-e', '/dev/null']];
  });
}

export async function apacheBackEnd(): Promise<BackEnd | MissingBackEnd> {
  return startProgram('apache2', ['apache2', 'httpd'], false, (program, folder, port) => {
    const file = join(folder, 'apache.conf');
    const modules = [join(dirname(program), '../lib/apache2/modules'), join(dirname(program), '../modules')].find(existsSync) ?? 'modules';
    mkdirSync(join(folder, 'empty'), { mode: 0o755 });
    const echo = '"echo %{THE_REQUEST} %{HTTP_HOST}"';
    writeFileSync(
      file,
      `ServerRoot ${folder}
PidFile ${folder}/pid
DefaultRuntimeDir ${folder}
Mutex pthread
ErrorLog /dev/null
Listen 127.0.0.1:${port}
ServerName h
LoadModule mpm_event_module ${modules}/mod_mpm_event.so
LoadModule authz_core_module ${modules}/mod_authz_core.so
StartServers 1
MaxKeepAliveRequests 0
TraceEnable off
DocumentRoot ${folder}/empty
ErrorDocument 403 ${echo}
ErrorDocument 404 ${echo}
ErrorDocument 405 ${echo}
ErrorDocument 501 ${echo}
`,
    );
    return [program, ['-f', file, '-D', 'FOREGROUND']];
  });
}

async function startProgram(
  name: string,
  programs: readonly string[],
  echoesBody: boolean,
  command: (program: string, folder: string, port: number) => readonly [string, readonly string[]],
): Promise<BackEnd | MissingBackEnd> {
  const program = programs.map(find).find((path) => path !== undefined);
  if (program === undefined) return { name, missing: `${name} is not installed` };
  const folder = mkdtempSync(join(tmpdir(), `caravan-${name}-`));
  const port = await freePort();
  const [path, options] = command(program, folder, port);
  const child = spawn(path, options, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (bytes: Buffer) => (said = (said + bytes.toString()).slice(-2_000)));
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    rmSync(folder, { recursive: true, force: true });
  };
  if (!(await answers(child, port))) {
    await stop();
    throw new Error(`${name} does not start: ${said}`);
  }
  return { name, port, echoesBody, stop };
}

function find(program: string): string | undefined {
  for (const folder of [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']) {
    const path = join(folder, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/** Waits until the port takes connections. */
async function answers(child: ChildProcess, port: number): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < 10_000 && child.exitCode === null && child.signalCode === null; waitedMs += 50) {
    const socket = connect(port, '127.0.0.1');
    const connected = await new Promise<boolean>((resolve) => {
      socket.on('connect', () => resolve(true));
      socket.on('error', () => resolve(false));
    });
    socket.destroy();
    if (connected) return true;
    await pause(50);
  }
  return false;
}
