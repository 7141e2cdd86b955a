import assert from 'node:assert/strict';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { InputError } from '../../src/base/errors.ts';
import type { WebServerOptions } from '../../src/observer/web-server.ts';
import { emptySnapshot, plainPages, TestConsole } from '../page/test-console.ts';
import { ask, cookieOf, eventsRequest, exchange, logIn, logInByLink, ofOwnPage } from '../page/web-client.ts';
import type { Reply } from '../page/web-client.ts';
import { Authority } from './certificates.ts';
import { until } from './until.ts';

/** Names of cases begin with the requirement of ASVS 5.0 that they check, or with what they guard against; docs/console.md lists them. */

const pages = await plainPages();
after(() => rm(pages, { recursive: true, force: true }));

function openConsole(options: Partial<WebServerOptions> = {}): Promise<TestConsole> {
  return TestConsole.open(emptySnapshot, { consoleFolder: pages, ...options });
}

/** One answer of each kind that the server gives. */
async function answersOfEveryKind(console: TestConsole, cookie: string): Promise<ReadonlyMap<string, Reply>> {
  const { port } = console;
  const own = ofOwnPage(port, cookie);
  const questions: readonly (readonly [string, Promise<Reply>])[] = [
    ['page', ask(port, '/')],
    ['page of a route', ask(port, '/services')],
    ['script', ask(port, '/assets/index-abc.js')],
    ['not modified', ask(port, '/').then(({ headers }) => ask(port, '/', { headers: { 'if-none-match': headers.etag ?? '' } }))],
    ['no such file', ask(port, '/assets/none.js')],
    ['data', ask(port, '/api/v1/network', { headers: own })],
    ['head', ask(port, '/api/v1/network', { method: 'HEAD', headers: own })],
    ['no such data', ask(port, '/api/v1/none', { headers: own })],
    ['metrics', ask(port, '/metrics', { headers: own })],
    ['not logged in', ask(port, '/api/v1/network')],
    ['login refused', logIn(port, { code: 'wrong' })],
    ['malformed login', logIn(port, { name: 'wrong' })],
    ['no JSON', ask(port, '/api/v1/login', { method: 'POST', headers: own, body: '{' })],
    ['wrong type', ask(port, '/api/v1/login', { method: 'POST', headers: { ...own, 'content-type': 'text/plain' }, body: '{}' })],
    ['too large', ask(port, '/api/v1/login', { method: 'POST', headers: own, body: `"${'x'.repeat(5000)}"` })],
    ['method', ask(port, '/', { method: 'DELETE' })],
    ['foreign host', ask(port, '/', { headers: { host: 'attacker.example' } })],
    ['foreign origin', ask(port, '/api/v1/network', { headers: { ...own, origin: 'http://attacker.example' } })],
    ['bad path', ask(port, '/%zz')],
    ['malformed', exchange(port, 'GET / HTTP/1.1\r\nHost 127.0.0.1\r\n\r\n').then(parseReply)],
    ['no host', exchange(port, 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n').then(parseReply)],
    ['large header', exchange(port, `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`).then(parseReply)],
    ['expectation', ask(port, '/', { headers: { expect: '200-maybe' } })],
    ['events', exchange(port, eventsRequest(port, cookie), (text) => text.includes('event: network')).then(parseReply)],
  ];
  const replies = new Map<string, Reply>();
  for (const [name, reply] of questions) replies.set(name, await reply);
  return replies;
}

function parseReply(text: string): Reply {
  const [head = '', ...rest] = text.split('\r\n\r\n');
  const [statusLine = '', ...lines] = head.split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
  );
  return { status: Number(statusLine.split(' ')[1]), headers, text: rest.join('\r\n\r\n') };
}

describe('header fields', () => {
  test('V3.4.3 V3.4.4 V3.4.5 V3.4.6 V3.4.2 V3.7.2 V4.1.1 V14.3.2: every kind of answer has them, none redirects and none allows other origins', async () => {
    await using console = await openConsole();
    const cookie = await logInByLink(console);
    const replies = await answersOfEveryKind(console, cookie);
    const statuses = Object.fromEntries([...replies].map(([name, { status }]) => [name, status]));
    assert.deepEqual(statuses, {
      page: 200,
      'page of a route': 200,
      script: 200,
      'not modified': 304,
      'no such file': 404,
      data: 200,
      head: 200,
      'no such data': 404,
      metrics: 404,
      'not logged in': 401,
      'login refused': 401,
      'malformed login': 400,
      'no JSON': 400,
      'wrong type': 415,
      'too large': 413,
      method: 405,
      'foreign host': 421,
      'foreign origin': 403,
      'bad path': 400,
      malformed: 400,
      'no host': 421,
      'large header': 431,
      expectation: 417,
      events: 200,
    });
    for (const [name, { headers, status, text }] of replies) {
      const policy = String(headers['content-security-policy']);
      for (const directive of ["default-src 'none'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"]) {
        assert.ok(policy.includes(directive), `${name}: ${directive} is in ${policy}`);
      }
      assert.doesNotMatch(policy, /unsafe|\*|https?:/, name);
      assert.equal(headers['x-content-type-options'], 'nosniff', name);
      assert.equal(headers['referrer-policy'], 'no-referrer', name);
      assert.equal(headers['cross-origin-opener-policy'], 'same-origin', name);
      assert.equal(headers['cross-origin-resource-policy'], 'same-origin', name);
      assert.match(String(headers['permissions-policy']), /camera=\(\)/, name);
      assert.deepEqual(
        Object.keys(headers).filter((header) => header.startsWith('access-control-')),
        [],
        name,
      );
      assert.equal(headers.location, undefined, name);
      assert.equal(headers.server ?? headers['x-powered-by'], undefined, `${name}: no version is told`);
      if (name !== 'script' && name !== 'page' && name !== 'page of a route' && name !== 'not modified') {
        assert.equal(headers['cache-control'], 'no-store', name);
      }
      if (status >= 400) assert.deepEqual(Object.keys(JSON.parse(text) as object), ['code', 'message'], name);
    }
    assert.match(String(replies.get('page')?.headers['cache-control']), /^no-cache$/);
    assert.match(String(replies.get('script')?.headers['cache-control']), /immutable/);
  });

  test('V3.2.1: data opened as a page of its own is sandboxed, and is not given to scripts, images or frames', async () => {
    await using console = await openConsole();
    const own = ofOwnPage(console.port, await logInByLink(console));
    const reply = await ask(console.port, '/api/v1/network', {
      headers: { ...own, 'sec-fetch-dest': 'document', 'sec-fetch-mode': 'navigate' },
    });
    assert.match(String(reply.headers['content-security-policy']), /sandbox/);
    for (const destination of ['script', 'image', 'iframe', 'style', 'object', 'worker']) {
      const { status } = await ask(console.port, '/api/v1/network', { headers: { ...own, 'sec-fetch-dest': destination } });
      assert.equal(status, 403, destination);
    }
  });

  test('V3.4.3: the page allows no inline code, and no markup out of text', async () => {
    await using console = await openConsole();
    const policy = String((await ask(console.port, '/')).headers['content-security-policy']);
    assert.match(policy, /script-src 'self';/);
    assert.match(policy, /style-src 'self';/);
    assert.match(policy, /require-trusted-types-for 'script'; trusted-types 'none'/);
  });

  test('V3.4.1 V12.1.1: over TLS every answer asks for TLS for a year, and nothing older than TLS 1.3 is spoken', async () => {
    await using authority = await Authority.make();
    const tls = await authority.issue('console-site-1');
    const ca = await readFile(authority.rootFile, 'utf8');
    await using console = await openConsole({ tls });
    for (const path of ['/', '/api/v1/network', '/none.js']) {
      const { headers } = await ask(console.port, path, { ca });
      assert.equal(headers['strict-transport-security'], 'max-age=31536000; includeSubDomains', path);
    }
    assert.match(console.server.url, /^https:/);
    await assert.rejects(ask(console.port, '/'), 'without TLS there is no answer');
    await assert.rejects(ask(console.port, '/', { ca, maxVersion: 'TLSv1.2' }), /alert protocol version/);
  });
});

describe('cookies and sessions', () => {
  test('V3.3.1 V3.3.2 V3.3.3 V3.3.4 V7.2.3: the cookie is Secure, HttpOnly, SameSite=Strict, of this host only, and its value is nowhere else', async () => {
    await using console = await openConsole();
    const code = new URL(await console.loginLink()).hash.replace('#code=', '');
    const reply = await logIn(console.port, { code });
    const [cookie = ''] = reply.headers['set-cookie'] ?? [];
    assert.match(cookie, /^__Host-session-\d+=[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict$/);
    const value = cookieOf(reply).split('=')[1] ?? '';
    const session = await ask(console.port, '/api/v1/session', { headers: ofOwnPage(console.port, cookieOf(reply)) });
    assert.equal(session.status, 200);
    for (const text of [
      reply.text,
      session.text,
      JSON.stringify(session.headers),
      console.log,
      JSON.stringify(await console.control('GET', '/control/sessions')),
    ]) {
      assert.ok(!text.includes(value));
    }
  });

  test('V7.2.4: a session id that somebody planted is not taken over, and a new login ends the session before it', async () => {
    await using console = await openConsole();
    const { port } = console;
    const planted = `__Host-session-${port}=${'A'.repeat(43)}`;
    const code = new URL(await console.loginLink()).hash.replace('#code=', '');
    const first = cookieOf(await logIn(port, { code }, { cookie: planted }));
    assert.notEqual(first, planted);
    assert.equal((await ask(port, '/api/v1/session', { headers: ofOwnPage(port, planted) })).status, 401);
    const again = new URL(await console.loginLink()).hash.replace('#code=', '');
    const second = cookieOf(await logIn(port, { code: again }, { cookie: first }));
    assert.equal((await ask(port, '/api/v1/session', { headers: ofOwnPage(port, first) })).status, 401);
    assert.equal((await ask(port, '/api/v1/session', { headers: ofOwnPage(port, second) })).status, 200);
    const both = ofOwnPage(port, `${planted}; ${second}`);
    assert.equal((await ask(port, '/api/v1/session', { headers: both })).status, 401, 'two cookies of the name');
  });

  test('V7.4.1 V14.3.1: a logout ends the session at the server, and its event stream', async () => {
    await using console = await openConsole();
    const { port } = console;
    const cookie = await logInByLink(console);
    const stream = exchange(port, eventsRequest(port, cookie));
    await until('the stream is read', () => console.observer.readerCount === 1);
    const reply = await ask(port, '/api/v1/logout', { method: 'POST', headers: ofOwnPage(port, cookie) });
    assert.equal(reply.status, 200);
    assert.match(String(reply.headers['set-cookie']), /Max-Age=0/);
    assert.equal(reply.headers['clear-site-data'], '"cache"');
    assert.match(await stream, /event: end\ndata: \{"code":"session-over"\}/);
    assert.equal((await ask(port, '/api/v1/network', { headers: ofOwnPage(port, cookie) })).status, 401);
    assert.equal(console.observer.readerCount, 0);
  });

  test('V7.3.1: a session ends after 30 minutes without use', async () => {
    await using console = await openConsole();
    const own = ofOwnPage(console.port, await logInByLink(console));
    for (let turn = 0; turn < 3; turn++) {
      console.clock.advance(29 * 60_000);
      assert.equal((await ask(console.port, '/api/v1/session', { headers: own })).status, 200);
    }
    console.clock.advance(30 * 60_000);
    assert.equal((await ask(console.port, '/api/v1/session', { headers: own })).status, 401);
  });

  test('V7.3.2: a session ends 12 hours after the login however much it is used', async () => {
    await using console = await openConsole();
    const own = ofOwnPage(console.port, await logInByLink(console));
    for (let turn = 0; turn < 47; turn++) {
      console.clock.advance(15 * 60_000);
      assert.equal((await ask(console.port, '/api/v1/session', { headers: own })).status, 200);
    }
    console.clock.advance(15 * 60_000);
    assert.equal((await ask(console.port, '/api/v1/session', { headers: own })).status, 401);
  });

  test('V7.4.2 V7.4.3: sessions of a user end when the password is changed or the user removed', async () => {
    const { Passwords } = await import('../../src/observer/web-passwords.ts');
    await using console = await openConsole();
    const passwords = new Passwords(console.folder, () => performance.now());
    const login = async (password: string): Promise<Record<string, string>> =>
      ofOwnPage(console.port, cookieOf(await logIn(console.port, { user: 'ada', password })));
    await passwords.set('ada', 'correct horse 1');
    const first = await login('correct horse 1');
    assert.equal((await ask(console.port, '/api/v1/session', { headers: first })).status, 200);
    await passwords.set('ada', 'correct horse 2');
    console.clock.advance(1500);
    assert.equal((await ask(console.port, '/api/v1/session', { headers: first })).status, 401);
    const second = await login('correct horse 2');
    assert.equal((await ask(console.port, '/api/v1/session', { headers: second })).status, 200);
    assert.equal(await passwords.remove('ada'), true);
    console.clock.advance(1500);
    assert.equal((await ask(console.port, '/api/v1/session', { headers: second })).status, 401);
    assert.equal((await stat(join(console.folder, 'users.json'))).mode & 0o777, 0o600);
  });

  test('V7.4.5 V7.5.2 V7.1.2: the owner of the site sees all sessions and ends them; the 65th ends the one longest unused', async () => {
    await using console = await openConsole();
    const { port } = console;
    const first = await logInByLink(console);
    const last = await logInByLink(console);
    for (let count = 2; count < 64; count++) await logInByLink(console);
    assert.equal((await ask(port, '/api/v1/session', { headers: ofOwnPage(port, first) })).status, 200);
    await logInByLink(console);
    assert.equal((await ask(port, '/api/v1/session', { headers: ofOwnPage(port, last) })).status, 401);
    const { sessions } = (await console.control('GET', '/control/sessions')) as { sessions: readonly { user: string }[] };
    assert.equal(sessions.length, 64);
    assert.deepEqual(await console.control('POST', '/control/end-sessions', 'user=nobody'), { ended: 0 });
    assert.deepEqual(await console.control('POST', '/control/end-sessions'), { ended: 64 });
    assert.equal((await ask(port, '/api/v1/session', { headers: ofOwnPage(port, first) })).status, 401);
  });
});

describe('login', () => {
  test('V6.5.1 V6.5.3 V14.2.1 V16.2.5: a login link works once, for a minute, and its code is in no log', async () => {
    await using console = await openConsole();
    const { port } = console;
    const link = new URL(await console.loginLink());
    assert.equal(link.pathname + link.search, '/login', 'the code is in the fragment, which browsers do not send');
    const code = link.hash.replace('#code=', '');
    assert.equal(Buffer.from(code, 'base64url').length, 32);
    assert.equal((await logIn(port, { code: `${code.slice(0, -1)}${code.endsWith('A') ? 'E' : 'A'}` })).status, 401);
    assert.equal((await logIn(port, { code })).status, 200);
    assert.equal((await logIn(port, { code })).status, 401);
    const late = new URL(await console.loginLink()).hash.replace('#code=', '');
    console.clock.advance(60_000);
    assert.equal((await logIn(port, { code: late })).status, 401);
    assert.ok(!console.log.includes(code));
    const racing = new URL(await console.loginLink()).hash.replace('#code=', '');
    const replies = await Promise.all(Array.from({ length: 8 }, () => logIn(port, { code: racing })));
    assert.equal(replies.filter(({ status }) => status === 200).length, 1, 'of those who race one wins');
  });

  test('V6.3.1 V16.3.1: passwords are refused after ten failures of one address, a link works all the same, and logs have no name', async () => {
    const { Passwords } = await import('../../src/observer/web-passwords.ts');
    await using console = await openConsole();
    const { port } = console;
    await new Passwords(console.folder, () => performance.now()).set('ada', 'correct horse 1');
    const refused = [];
    for (let count = 0; count < 10; count++)
      refused.push(await logIn(port, { user: count % 2 === 0 ? 'ada' : 'nobody', password: 'wrong-pass-word' }));
    assert.deepEqual(new Set(refused.map(({ status, text }) => `${status} ${text}`)).size, 1, 'the answers tell nothing about users');
    const blocked = await logIn(port, { user: 'ada', password: 'correct horse 1' });
    assert.equal(blocked.status, 429);
    assert.equal(blocked.headers['retry-after'], '60');
    await logInByLink(console);
    assert.ok(!console.log.includes('wrong-pass') && !console.log.includes('nobody'));
    console.clock.advance(60_000);
    assert.equal((await logIn(port, { user: 'ada', password: 'correct horse 1' })).status, 200);
  });

  test('V6.2.1 V6.2.9 V15.3.6: passwords have at least 12 characters, and names no odd ones', async () => {
    const { Passwords } = await import('../../src/observer/web-passwords.ts');
    await using console = await openConsole();
    const passwords = new Passwords(console.folder, () => performance.now());
    await assert.rejects(passwords.set('ada', 'short words'), InputError);
    await assert.rejects(passwords.set('ada', 'x'.repeat(257)), InputError);
    await assert.rejects(passwords.set('<img src=x>', 'correct horse 1'), InputError);
    await assert.rejects(passwords.set('__proto__', 'correct horse 1'), InputError);
    await passwords.set('grace', 'ü'.repeat(256));
    assert.equal((await logIn(console.port, { user: 'grace', password: 'ü'.repeat(256) })).status, 200);
    assert.equal((await logIn(console.port, { user: '__proto__', password: 'correct horse 1' })).status, 401);
    assert.equal((await logIn(console.port, { user: 'ada', password: 'x'.repeat(257) })).status, 400);
  });

  test('V13.3.2: a file of users that others may read is not used', async () => {
    await using console = await openConsole();
    await writeFile(join(console.folder, 'users.json'), '{"version":1,"users":{}}', { mode: 0o644 });
    assert.equal((await logIn(console.port, { user: 'ada', password: 'correct horse 1' })).status, 500);
    assert.match(console.log, /others may read or write it/);
  });

  test('V13.4.5: metrics are read with the token of a private file or a session, and with nothing else', async () => {
    await using console = await openConsole();
    console.observer.answers.set('/metrics', 'up 1\n');
    const { port } = console;
    const file = join(console.folder, 'metrics-token');
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    const token = (await readFile(file, 'utf8')).trim();
    const bearer = { authorization: `Bearer ${token}` };
    assert.equal((await ask(port, '/metrics', { headers: bearer })).text, 'up 1\n');
    assert.equal((await ask(port, '/metrics', { headers: { authorization: `Bearer ${token}x` } })).status, 401);
    assert.equal((await ask(port, '/metrics')).headers['www-authenticate'], 'Bearer');
    assert.equal((await ask(port, '/api/v1/network', { headers: bearer })).status, 401, 'the token opens nothing else');
    assert.equal((await ask(port, '/openapi.json')).status, 401);
  });
});

describe('requests of other origins', () => {
  test('V3.5.1 V3.5.2 V3.5.3: nothing is changed but by a POST of JSON from a page of this console', async () => {
    await using console = await openConsole();
    const { port } = console;
    const cookie = await logInByLink(console);
    const own = ofOwnPage(port, cookie);
    const { origin: _origin, 'sec-fetch-site': _site, ...neither } = own;
    const refused: readonly (readonly [string, number, Record<string, string>])[] = [
      ['cross-site', 403, { ...own, 'sec-fetch-site': 'cross-site' }],
      ['same-site: another port or scheme', 403, { ...own, 'sec-fetch-site': 'same-site' }],
      ['typed by a user', 403, { ...own, 'sec-fetch-site': 'none' }],
      ['foreign Origin', 403, { ...own, origin: 'http://attacker.example' }],
      ['Origin null', 403, { ...own, origin: 'null' }],
      ['Origin of another port', 403, { ...own, origin: 'http://127.0.0.1:1' }],
      ['Origin of another scheme', 403, { ...own, origin: `https://127.0.0.1:${port}` }],
      ['neither Origin nor Sec-Fetch-Site', 403, neither],
      ['a form', 415, { ...own, 'content-type': 'application/x-www-form-urlencoded' }],
      ['a form with a file', 415, { ...own, 'content-type': 'multipart/form-data; boundary=x' }],
      ['plain text', 415, { ...own, 'content-type': 'text/plain' }],
      ['JSON in disguise', 415, { ...own, 'content-type': 'text/plain; application/json' }],
      ['compressed', 415, { ...own, 'content-encoding': 'gzip' }],
    ];
    for (const [name, status, headers] of refused) {
      assert.equal((await ask(port, '/api/v1/logout', { method: 'POST', headers, body: '{}' })).status, status, name);
    }
    for (const method of ['GET', 'HEAD']) assert.equal((await ask(port, '/api/v1/logout', { method, headers: own })).status, 405, method);
    for (const method of ['OPTIONS', 'PUT', 'PATCH', 'DELETE', 'TRACE']) {
      const reply = await ask(port, '/api/v1/logout', { method, headers: own });
      assert.equal(reply.status, 405, method);
      assert.equal(reply.headers.allow, 'GET, HEAD, POST');
    }
    assert.equal((await ask(port, '/api/v1/session', { headers: own })).status, 200, 'the session is still there');
  });

  test('V13.4.4, method override: only the method itself counts', async () => {
    await using console = await openConsole();
    const own = ofOwnPage(console.port, await logInByLink(console));
    for (const header of ['x-http-method-override', 'x-http-method', 'x-method-override']) {
      assert.equal((await ask(console.port, '/api/v1/logout', { headers: { ...own, [header]: 'POST' } })).status, 405);
      assert.equal((await ask(console.port, '/api/v1/session?_method=DELETE', { headers: { ...own, [header]: 'DELETE' } })).status, 200);
    }
  });

  test('V3.5.3: data and events are not given to other origins', async () => {
    await using console = await openConsole();
    const own = ofOwnPage(console.port, await logInByLink(console));
    for (const path of ['/api/v1/network', '/api/v1/events', '/metrics', '/api/v2alpha1/sites']) {
      for (const site of ['cross-site', 'same-site']) {
        const headers = { ...own, 'sec-fetch-site': site, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
        assert.equal((await ask(console.port, path, { headers })).status, 403, `${path} ${site}`);
      }
      assert.equal((await ask(console.port, path, { headers: { ...own, origin: 'http://attacker.example' } })).status, 403, path);
    }
    assert.deepEqual(console.observer.asked, []);
  });

  test('V3.4.6: another page may link to the console, and cannot embed it or load its files', async () => {
    await using console = await openConsole();
    const from = (mode: string, dest: string): Record<string, string> => ({
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': mode,
      'sec-fetch-dest': dest,
    });
    assert.equal((await ask(console.port, '/', { headers: from('navigate', 'document') })).status, 200);
    assert.equal((await ask(console.port, '/', { headers: from('navigate', 'iframe') })).status, 403);
    assert.equal((await ask(console.port, '/assets/index-abc.js', { headers: from('no-cors', 'script') })).status, 403);
  });

  test('V4.1.3, DNS rebinding: a Host that this console is not reached by gets nothing', async () => {
    await using console = await openConsole({ hostNames: ['console.example.org'] });
    const { port } = console;
    const hosts: readonly (readonly [string, number])[] = [
      [`127.0.0.1:${port}`, 200],
      [`localhost:${port}`, 200],
      [`LOCALHOST:${port}`, 200],
      [`[::1]:${port}`, 200],
      ['127.0.0.1:9000', 200],
      ['console.example.org', 200],
      ['attacker.example', 421],
      [`attacker.example:${port}`, 421],
      ['127.0.0.1.attacker.example', 421],
      ['localhost.attacker.example', 421],
      ['xn--localhost', 421],
      ['127.0.0.1@attacker.example', 421],
      ['127.0.0.2', 421],
      ['2130706433', 421],
      ['[::1', 421],
    ];
    for (const [host, status] of hosts) assert.equal((await ask(port, '/', { headers: { host } })).status, status, host);
    const twice = await exchange(port, `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: attacker.example\r\nConnection: close\r\n\r\n`);
    assert.match(twice, /^HTTP\/1.1 400/);
    const absolute = await exchange(port, `GET http://attacker.example/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`);
    assert.match(absolute, /^HTTP\/1.1 400/);
    const forwarded = { host: 'attacker.example', 'x-forwarded-host': '127.0.0.1', forwarded: 'host=127.0.0.1' };
    assert.equal((await ask(port, '/', { headers: forwarded })).status, 421);
  });

  test('V3.5.4: another address than loopback is listened on only with TLS, or when a proxy is said to have it', async () => {
    for (const host of ['0.0.0.0', '::', '192.0.2.1', 'console.example.org']) {
      await assert.rejects(
        openConsole({ listen: { host, port: 0 } }),
        (error: unknown) => error instanceof InputError && error.code === 'console-not-loopback',
        host,
      );
    }
    await using console = await openConsole({
      listen: { host: '0.0.0.0', port: 0 },
      behindProxy: true,
      hostNames: ['console.example.org'],
    });
    assert.equal(console.server.url, 'https://console.example.org');
    const own = { ...ofOwnPage(console.port), host: 'console.example.org' };
    const code = new URL(await console.loginLink()).hash.replace('#code=', '');
    const body = JSON.stringify({ code });
    const post = (origin: string): Promise<Reply> =>
      ask(console.port, '/api/v1/login', { method: 'POST', headers: { ...own, origin }, body });
    assert.equal((await post('http://console.example.org')).status, 403);
    assert.equal((await post('https://console.example.org')).status, 200);
  });
});

describe('what comes from the network', () => {
  test('V3.2.2 V1.2.3: names are JSON of a type that no browser takes for markup', async () => {
    const name = '"><img src=x onerror=alert(1)></script><script>alert(2)</script>\u2028\u0000\r\nevent: end';
    await using console = await openConsole();
    const { port } = console;
    console.observer.answers.set('/api/v1/stat', { kind: 'service', rows: [{ name, of: '' }] });
    const own = ofOwnPage(port, await logInByLink(console));
    const reply = await ask(port, `/api/v1/stat?name=${encodeURIComponent(name)}`, { headers: own });
    assert.equal(reply.headers['content-type'], 'application/json');
    assert.deepEqual((JSON.parse(reply.text) as { rows: readonly { name: string }[] }).rows[0]?.name, name);
    assert.equal(console.observer.asked.at(-1)?.query.get('name'), name);
    assert.equal(reply.headers['x-content-type-options'], 'nosniff');
    const missing = await ask(port, `/${encodeURIComponent('<script>alert(1)</script>')}.js`, {});
    assert.ok(!missing.text.includes('<'), 'an error repeats nothing of the request');
    console.observer.snapshot = { ...emptySnapshot, networkId: name };
    const stream = await exchange(
      port,
      eventsRequest(port, own['cookie'] ?? ''),
      (text) => text.includes('network"') || text.includes('\n\n:') || text.includes('}\n\n'),
    );
    assert.ok(!stream.includes('\nevent: end'), 'a name cannot make an event of its own');
  });

  test('V5.3.2: no path leads out of the console’s files', async () => {
    await using console = await openConsole();
    const { port, folder } = console;
    const secret = (await readFile(join(folder, 'metrics-token'), 'utf8')).trim();
    const up = folder.split('/').at(-1) ?? '';
    const paths = [
      '/../metrics-token',
      `/../${up}/metrics-token`,
      `/%2e%2e/${up}/metrics-token`,
      `/..%2f${up}%2fmetrics-token`,
      `/assets/../../${up}/metrics-token`,
      `/assets/..%5c..%5c${up}%5cmetrics-token`,
      `/assets/....//${up}/metrics-token`,
      `//${up}/metrics-token`,
      `${folder}/metrics-token`,
      '/assets/index-abc.js%00.html',
      '/assets/index-abc.js/',
      '/assets/notes.txt',
      '/.building-1/index.html',
      '/index.html/../../x.js',
      '/%c0%ae%c0%ae/x.js',
    ];
    for (const path of paths) {
      const answer = await exchange(port, `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`);
      assert.ok(!answer.includes(secret) && !answer.includes('not to be served'), path);
      assert.match(answer, /^HTTP\/1.1 (?:400|404|200)/, path);
      if (answer.startsWith('HTTP/1.1 200')) assert.match(answer, /<title>Console<\/title>/, `${path} is the page at most`);
    }
  });

  test('V1.1.1 V2.2.1: a path of the interface that two programs could read differently goes nowhere', async () => {
    await using console = await openConsole();
    const own = ofOwnPage(console.port, await logInByLink(console));
    for (const path of [
      '/api/v1/../v1/network',
      '/api//v1/network',
      '/api/v1/%2e%2e/network',
      '/api/v1/requests/a%2fb',
      '/api/v1/requests/a%00',
      '/api/v1/requests/a%',
    ]) {
      assert.equal((await ask(console.port, path, { headers: own })).status, 400, path);
    }
    const withBody = await ask(console.port, '/api/v1/network', { headers: { ...own, 'content-length': '2' }, body: '{}' });
    assert.equal(withBody.status, 400);
    assert.deepEqual(console.observer.asked, []);
  });

  test('V16.5.1 V16.5.3: an error of the observer tells nothing of its inside, and nobody is let in by one', async () => {
    await using console = await openConsole();
    const own = ofOwnPage(console.port, await logInByLink(console));
    console.observer.gate = Promise.reject(new Error('secret path /var/lib/x'));
    console.observer.gate.catch(() => undefined);
    const reply = await ask(console.port, '/api/v1/network', { headers: own });
    assert.deepEqual([reply.status, (JSON.parse(reply.text) as { code: string }).code], [500, 'internal']);
    assert.ok(!reply.text.includes('secret path') && console.log.includes('secret path'));
  });

  test('V4.2.1, request smuggling: a request of two lengths is refused and ends its connection', async () => {
    await using console = await openConsole();
    const heads = [
      'Content-Length: 5\r\nTransfer-Encoding: chunked',
      'Content-Length: 5\r\nContent-Length: 6',
      'Transfer-Encoding: chunked, identity',
      'Transfer-Encoding : chunked',
      'Content-Length: +5',
    ];
    for (const head of heads) {
      const answer = await exchange(
        console.port,
        `POST /api/v1/login HTTP/1.1\r\nHost: 127.0.0.1\r\n${head}\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`,
      );
      assert.match(answer, /^HTTP\/1.1 4\d\d/, head);
      assert.equal(answer.split('HTTP/1.1 ').length - 1, 1, `${head}: one answer`);
    }
  });
});
