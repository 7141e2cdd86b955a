/**
 * Requests that programs are known to read differently, and their harmless relatives. For each: what must become of it. Sections are those
 * of RFC 9112 unless another number is named.
 */
export interface SmugglingCase {
  readonly what: string;
  /** Characters are octets. */
  readonly octets: string;
  /** Status of the answer behind which the connection ends; nothing of the input has reached a server. */
  readonly refused?: number;
  /** Exactly what goes to servers, as written anew. */
  readonly passes?: readonly string[];
}

function head(...lines: readonly string[]): string {
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function get(...fields: readonly string[]): string {
  return head('GET / HTTP/1.1', 'Host: h', ...fields);
}

function post(...fields: readonly string[]): string {
  return head('POST / HTTP/1.1', 'Host: h', ...fields);
}

const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n';
const chunked = 'Transfer-Encoding: chunked';
const plainGet = head('GET / HTTP/1.1', 'host: h');

function refused(what: string, octets: string, status = 400): SmugglingCase {
  return { what, octets, refused: status };
}

function passes(what: string, octets: string, ...requests: readonly string[]): SmugglingCase {
  return { what, octets, passes: requests };
}

/** The body `abc` in the form that servers get. */
const postChunked = `${head('POST / HTTP/1.1', 'host: h', 'transfer-encoding: chunked')}3\r\nabc\r\n0\r\n\r\n`;
const postCounted = `${head('POST / HTTP/1.1', 'host: h', 'content-length: 3')}abc`;

const contentLength: readonly SmugglingCase[] = [
  passes('one length', `${post('Content-Length: 3')}abc`, postCounted),
  passes('a length with leading zeros', `${post('Content-Length: 0003')}abc`, postCounted),
  passes('a length with blanks around', `${post('Content-Length: \t 3 \t')}abc`, postCounted),
  passes('a name in another case', `${post('cOnTeNt-LeNgTh: 3')}abc`, postCounted),
  passes(
    'a request within the body of another',
    `${post(`Content-Length: ${smuggled.length}`)}${smuggled}`,
    `${head('POST / HTTP/1.1', 'host: h', `content-length: ${smuggled.length}`)}${smuggled}`,
  ),
  passes(
    'GET with a body',
    `${get('Content-Length: 3')}abc${smuggled}`,
    `${head('GET / HTTP/1.1', 'host: h', 'content-length: 3')}abc`,
    head('GET /smuggled HTTP/1.1', 'host: h'),
  ),
  passes('POST without a length has no body', post(), head('POST / HTTP/1.1', 'host: h', 'content-length: 0')),
  refused('two different lengths (6.3)', `${post('Content-Length: 3', 'Content-Length: 4')}abcd`),
  refused('the same length twice', `${post('Content-Length: 3', 'Content-Length: 3')}abc`),
  refused('a list of equal lengths', `${post('Content-Length: 3, 3')}abc`),
  refused('a list of different lengths', `${post('Content-Length: 3, 0')}abc`),
  refused('an empty length', post('Content-Length:')),
  refused('a length with a sign', `${post('Content-Length: +3')}abc`),
  refused('a negative length', post('Content-Length: -1')),
  refused('a length in hexadecimal', `${post('Content-Length: 0x3')}abc`),
  refused('a length with digit groups', `${post('Content-Length: 1_0')}abcdefghij`),
  refused('a length with a fraction', `${post('Content-Length: 3.0')}abc`),
  refused('a length with an exponent', `${post('Content-Length: 1e1')}abcdefghij`),
  refused('a length with a blank in it', `${post('Content-Length: 1 0')}abcdefghij`),
  refused('a length in quotes', `${post('Content-Length: "3"')}abc`),
  refused('a length with letters behind', `${post('Content-Length: 3x')}abc`),
  refused('a length with a digit that is not ASCII', `${post('Content-Length: \xb3')}abc`),
  refused('a length of more than 64 bits', post(`Content-Length: 18446744073709551619`), 413),
  refused('a length of 63 bits', post(`Content-Length: 9223372036854775807`), 413),
  refused('a blank between name and colon of the length (5.1)', `${post('Content-Length : 3')}abc`),
  refused('a tab between name and colon of the length', `${post('Content-Length\t: 3')}abc`),
  refused('a length spelt with an underscore', `${post('Content_Length: 3')}abc`),
  refused('a length on a line that begins with a blank (5.2)', `${post('X: y', ' Content-Length: 3')}abc`),
  refused('a control octet before the name', `${post('\x0bContent-Length: 3')}abc`),
  refused('NUL behind the name', `${post('Content-Length\0: 3')}abc`),
  refused('NUL behind the number', `${post('Content-Length: 3\0')}abc`),
];

const transferEncoding: readonly SmugglingCase[] = [
  passes('chunks', `${post(chunked)}3\r\nabc\r\n0\r\n\r\n`, postChunked),
  passes('a coding in another case', `${post('TRANSFER-ENCODING: CHUNKED')}3\r\nabc\r\n0\r\n\r\n`, postChunked),
  passes('several chunks', `${post(chunked)}1\r\na\r\n2\r\nbc\r\n0\r\n\r\n`, postChunked),
  refused('length and chunks (6.3)', `${post('Content-Length: 6', chunked)}0\r\n\r\nG`),
  refused('chunks and length', `${post(chunked, 'Content-Length: 4')}0\r\n\r\n`),
  refused('chunks and length 0', `${post(chunked, 'Content-Length: 0')}0\r\n\r\n`),
  refused('chunked twice in a list', `${post('Transfer-Encoding: chunked, chunked')}0\r\n\r\n`),
  refused('chunked twice as two fields', `${post(chunked, chunked)}0\r\n\r\n`),
  refused('chunked and identity', `${post('Transfer-Encoding: chunked, identity')}0\r\n\r\n`),
  refused('identity, then chunked', `${post('Transfer-Encoding: identity', chunked)}0\r\n\r\n`),
  refused('identity with a length', `${post('Transfer-Encoding: identity', 'Content-Length: 3')}abc`),
  refused('gzip under chunked', `${post('Transfer-Encoding: gzip, chunked')}0\r\n\r\n`),
  refused('chunked that is not last (6.1)', `${post('Transfer-Encoding: chunked, gzip')}0\r\n\r\n`),
  refused('a coding that ends in chunked', `${post('Transfer-Encoding: xchunked')}0\r\n\r\n`),
  refused('a coding that begins with chunked', `${post('Transfer-Encoding: chunkedx')}0\r\n\r\n`),
  refused('a coding with a parameter', `${post('Transfer-Encoding: chunked;q=1')}0\r\n\r\n`),
  refused('a coding in quotes', `${post('Transfer-Encoding: "chunked"')}0\r\n\r\n`),
  refused('an empty coding', `${post('Transfer-Encoding:', 'Content-Length: 3')}abc`),
  refused('a comma and nothing', `${post('Transfer-Encoding: chunked,')}0\r\n\r\n`),
  refused('a comma first', `${post('Transfer-Encoding: ,chunked')}0\r\n\r\n`),
  refused('a vertical tab before the coding', `${post('Transfer-Encoding: \x0bchunked')}0\r\n\r\n`),
  refused('a no-break space before the coding', `${post('Transfer-Encoding: \xa0chunked')}0\r\n\r\n`),
  refused('a carriage return before the coding', `${post('Transfer-Encoding:\rchunked')}0\r\n\r\n`),
  refused('a blank before the colon', `${post('Transfer-Encoding : chunked', 'Content-Length: 3')}abc`),
  refused('a coding on a folded line (5.2)', `${post('Transfer-Encoding:\r\n chunked')}0\r\n\r\n`),
  refused('a name spelt with an underscore', `${post('Transfer_Encoding: chunked', 'Content-Length: 3')}abc`),
  refused('NUL within the name', `${post('Transfer-\0Encoding: chunked')}0\r\n\r\n`),
  refused('chunks in HTTP/1.0 (6.1)', `${head('POST / HTTP/1.0', chunked)}0\r\n\r\n`),
  refused('chunks and a length in HTTP/1.0', `${head('POST / HTTP/1.0', 'Content-Length: 3', chunked)}abc`),
];

const chunks: readonly SmugglingCase[] = [
  passes('a length with leading zeros', `${post(chunked)}0003\r\nabc\r\n000\r\n\r\n`, postChunked),
  passes('extensions', `${post(chunked)}3;a;b=c;d="e f"\r\nabc\r\n0;x\r\n\r\n`, postChunked),
  passes(
    'lengths in either case',
    `${post(chunked)}A\r\nabcdefghij\r\na\r\nabcdefghij\r\n0\r\n\r\n`,
    `${head('POST / HTTP/1.1', 'host: h', 'transfer-encoding: chunked')}14\r\nabcdefghijabcdefghij\r\n0\r\n\r\n`,
  ),
  passes(
    'trailers, without those that mean something in a head only (6.5.1 of RFC 9110)',
    `${post(chunked)}0\r\nSum: 1\r\nAuthorization: x\r\nX-Forwarded-For: y\r\nCookie: z\r\n\r\n`,
    `${head('POST / HTTP/1.1', 'host: h', 'transfer-encoding: chunked')}0\r\nsum: 1\r\n\r\n`,
  ),
  refused('an extension with a line feed alone (7.1.1)', `${post(chunked)}3;a\nabc\r\n0\r\n\r\n`),
  refused('an extension with a carriage return alone', `${post(chunked)}3;a\rb\r\nabc\r\n0\r\n\r\n`),
  refused('a length line that ends with a line feed alone', `${post(chunked)}3\nabc\r\n0\r\n\r\n`),
  refused('a length line that ends with a carriage return alone', `${post(chunked)}3\rabc\r\n0\r\n\r\n`),
  refused('octets that end with a line feed alone', `${post(chunked)}3\r\nabc\n0\r\n\r\n`),
  refused('octets that do not end where they should', `${post(chunked)}2\r\nabc\r\n0\r\n\r\n`),
  refused('octets that end with something else', `${post(chunked)}3\r\nabcXX0\r\n\r\n`),
  refused('a blank before the length', `${post(chunked)} 3\r\nabc\r\n0\r\n\r\n`),
  refused('a blank behind the length', `${post(chunked)}3 \r\nabc\r\n0\r\n\r\n`),
  refused('a blank between length and extension', `${post(chunked)}3 ;a\r\nabc\r\n0\r\n\r\n`),
  refused('a length with 0x', `${post(chunked)}0x3\r\nabc\r\n0\r\n\r\n`),
  refused('a length with a sign', `${post(chunked)}+3\r\nabc\r\n0\r\n\r\n`),
  refused('a negative length', `${post(chunked)}-3\r\nabc\r\n0\r\n\r\n`),
  refused('a length of 65 bits', `${post(chunked)}10000000000000003\r\nabc\r\n0\r\n\r\n`),
  refused('a length of 64 bits', `${post(chunked)}fffffffffffffffd\r\nabc\r\n0\r\n\r\n`),
  refused('an empty length', `${post(chunked)}\r\nabc\r\n0\r\n\r\n`),
  refused('an extension without a length', `${post(chunked)};a=b\r\n\r\n`),
  refused('a length with an underscore', `${post(chunked)}1_0\r\nabcdefghijabcdef\r\n0\r\n\r\n`),
  refused('an extension that does not end', `${post(chunked)}3;${'a'.repeat(300)}\r\nabc\r\n0\r\n\r\n`),
  refused('a line feed alone behind the last chunk', `${post(chunked)}0\n\n`),
  refused('an end of trailers with a line feed alone', `${post(chunked)}0\r\n\n`),
  refused('something in place of the end', `${post(chunked)}0\r\nGET /smuggled HTTP/1.1\r\n\r\n`),
  refused('a length in trailers', `${post(chunked)}0\r\nContent-Length: 3\r\n\r\nabc`),
  refused('a coding in trailers', `${post(chunked)}0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`),
  refused('a Host in trailers', `${post(chunked)}0\r\nHost: other\r\n\r\n`),
  refused('a folded trailer', `${post(chunked)}0\r\nA: b\r\n c\r\n\r\n`),
];

const lines: readonly SmugglingCase[] = [
  passes('one empty line first (2.2)', `\r\n${get()}`, plainGet),
  passes('an empty line between requests', `${get()}\r\n${get()}`, plainGet, plainGet),
  passes('empty values', get('A:', 'B: '), head('GET / HTTP/1.1', 'host: h', 'a: ', 'b: ')),
  passes('colons and tabs in values', get('A:b:\tc'), head('GET / HTTP/1.1', 'host: h', 'a: b:\tc')),
  passes('octets beyond ASCII in values', get('A: \xe9'), head('GET / HTTP/1.1', 'host: h', 'a: \xe9')),
  passes('the same field twice', get('A: 1', 'A: 2'), head('GET / HTTP/1.1', 'host: h', 'a: 1', 'a: 2')),
  refused('line feeds alone (2.2)', 'GET / HTTP/1.1\nHost: h\n\n'),
  refused('one line feed alone', 'GET / HTTP/1.1\r\nHost: h\nA: b\r\n\r\n'),
  refused('an end with a line feed alone', 'GET / HTTP/1.1\r\nHost: h\r\n\n'),
  refused('an end with a line feed, then both', `GET / HTTP/1.1\r\nHost: h\n\r\n`),
  refused('a carriage return alone in a value', get(`A: b\rContent-Length: 3`)),
  refused('a carriage return alone for an end of line', 'GET / HTTP/1.1\r\nHost: h\rA: b\r\n\r\n'),
  refused('carriage return, carriage return, line feed', 'GET / HTTP/1.1\r\nHost: h\r\r\n\r\n'),
  refused('two empty lines first', `\r\n\r\n${get()}`),
  refused('a line feed first', `\n${get()}`),
  refused('a blank first', ` ${get()}`),
  refused('a byte order mark first', `\xef\xbb\xbf${get()}`),
  refused('a blank before the first field (2.2)', 'GET / HTTP/1.1\r\n Host: h\r\n\r\n'),
  refused('a folded value (5.2)', get('A: b', '\tc')),
  refused('a line of blanks', get(' ')),
  refused('a line without a colon', get('abc')),
  refused('a field without a name', get(': b')),
  refused('a blank within a name', get('A b: c')),
  refused('NUL in a value', get('A: b\0c')),
  refused('an octet beyond ASCII in a name', get('\xc4: b')),
  refused('DEL in a value', get('A: b\x7f')),
  refused('a slash in a name', get('A/b: c')),
  refused('too many fields', get(...Array.from({ length: 300 }, (_, index) => `a${index}: b`)), 431),
  refused('a head that is too long', get(`A: ${'b'.repeat(20_000)}`), 431),
  refused('a target that is too long', `GET /${'a'.repeat(9_000)} HTTP/1.1\r\nHost: h\r\n\r\n`, 414),
];

const requestLines: readonly SmugglingCase[] = [
  passes("a method of one's own", head('aBc / HTTP/1.1', 'Host: h'), head('aBc / HTTP/1.1', 'host: h')),
  passes('* for OPTIONS (3.2.4)', head('OPTIONS * HTTP/1.1', 'Host: h'), head('OPTIONS * HTTP/1.1', 'host: h')),
  passes('a path that looks like an authority', head('GET //other/a HTTP/1.1', 'Host: h'), head('GET //other/a HTTP/1.1', 'host: h')),
  passes(
    'dots and percents are left alone',
    head('GET /a/../%2e%2E/%0d?b HTTP/1.1', 'Host: h'),
    head('GET /a/../%2e%2E/%0d?b HTTP/1.1', 'host: h'),
  ),
  refused('two blanks behind the method', head('GET  / HTTP/1.1', 'Host: h')),
  refused('two blanks before the version', head('GET /  HTTP/1.1', 'Host: h')),
  refused('a tab behind the method', head('GET\t/ HTTP/1.1', 'Host: h')),
  refused('a blank behind the version', head('GET / HTTP/1.1 ', 'Host: h')),
  refused('a blank in the target', head('GET /a b HTTP/1.1', 'Host: h')),
  refused('a tab in the target', head('GET /a\tb HTTP/1.1', 'Host: h')),
  refused('a second version in the target', head('GET / HTTP/1.1 HTTP/1.1', 'Host: h')),
  refused('NUL in the target', head('GET /\0 HTTP/1.1', 'Host: h')),
  refused('an octet beyond ASCII in the target', head('GET /\xe9 HTTP/1.1', 'Host: h')),
  refused('a fragment', head('GET /a#b HTTP/1.1', 'Host: h')),
  refused('a target that begins with something else', head('GET a HTTP/1.1', 'Host: h')),
  refused('* for GET', head('GET * HTTP/1.1', 'Host: h')),
  refused('no target', head('GET HTTP/1.1', 'Host: h')),
  refused('no version (HTTP/0.9)', 'GET /\r\n\r\n'),
  refused('a version in lower case (2.3)', head('GET / http/1.1', 'Host: h')),
  refused('a version with two digits', head('GET / HTTP/1.10', 'Host: h')),
  refused('a version without a dot', head('GET / HTTP/11', 'Host: h')),
  refused('version 1.2', head('GET / HTTP/1.2', 'Host: h'), 505),
  refused('version 2.0', head('GET / HTTP/2.0', 'Host: h'), 505),
  refused('version 0.9', head('GET / HTTP/0.9', 'Host: h'), 505),
  refused('a method that is no token', head('G@T / HTTP/1.1', 'Host: h')),
  refused('a method in brackets', head('(GET) / HTTP/1.1', 'Host: h')),
  refused('CONNECT', head('CONNECT h:80 HTTP/1.1', 'Host: h:80'), 501),
  refused('TRACE with a body (9.3.8 of RFC 9110)', `${head('TRACE / HTTP/1.1', 'Host: h', 'Content-Length: 3')}abc`),
];

const hosts: readonly SmugglingCase[] = [
  passes('HTTP/1.0 without Host', head('GET / HTTP/1.0'), head('GET / HTTP/1.1', 'host: default')),
  passes('a port', head('GET / HTTP/1.1', 'Host: h:8080'), head('GET / HTTP/1.1', 'host: h:8080')),
  passes('an IPv6 address', head('GET / HTTP/1.1', 'Host: [::1]:80'), head('GET / HTTP/1.1', 'host: [::1]:80')),
  passes('an absolute target (3.2.2)', head('GET http://h/a?b HTTP/1.1', 'Host: h'), head('GET /a?b HTTP/1.1', 'host: h')),
  passes('an absolute target without a path', head('GET http://h?b HTTP/1.1', 'Host: h'), head('GET /?b HTTP/1.1', 'host: h')),
  passes('an absolute target of OPTIONS', head('OPTIONS http://h HTTP/1.1', 'Host: h'), head('OPTIONS * HTTP/1.1', 'host: h')),
  passes('a scheme and a host in another case', head('GET HTTP://H/ HTTP/1.1', 'Host: h'), head('GET / HTTP/1.1', 'host: H')),
  refused('no Host (3.2)', head('GET / HTTP/1.1')),
  refused('an empty Host', head('GET / HTTP/1.1', 'Host:')),
  refused('two Host', head('GET / HTTP/1.1', 'Host: h', 'Host: h')),
  refused('two different Host', head('GET / HTTP/1.1', 'Host: h', 'Host: i')),
  refused('a list of hosts', head('GET / HTTP/1.1', 'Host: h, i')),
  refused('a Host with a user', head('GET / HTTP/1.1', 'Host: u@h')),
  refused('a Host with a path', head('GET / HTTP/1.1', 'Host: h/a')),
  refused('a Host with a query', head('GET / HTTP/1.1', 'Host: h?a')),
  refused('a Host with a blank', head('GET / HTTP/1.1', 'Host: h i')),
  refused('a Host with a port that is no number', head('GET / HTTP/1.1', 'Host: h:80a')),
  refused('a Host with a port that is none', head('GET / HTTP/1.1', 'Host: h:65536')),
  refused('a Host with two ports', head('GET / HTTP/1.1', 'Host: h:1:2')),
  refused('a Host of a port alone', head('GET / HTTP/1.1', 'Host: :80')),
  refused('a Host with a bracket that stays open', head('GET / HTTP/1.1', 'Host: [::1')),
  refused('a Host on a folded line', 'GET / HTTP/1.1\r\nHost:\r\n h\r\n\r\n'),
  refused('a blank before the colon of Host', head('GET / HTTP/1.1', 'Host : h')),
  refused('another Host than that of the target', head('GET http://h/ HTTP/1.1', 'Host: i')),
  refused('another port than that of the target', head('GET http://h:81/ HTTP/1.1', 'Host: h')),
  refused('a target with a user', head('GET http://u@h/ HTTP/1.1', 'Host: h')),
  refused('a target without a host', head('GET http:///a HTTP/1.1', 'Host: h')),
  refused('a target of another scheme', head('GET ftp://h/ HTTP/1.1', 'Host: h')),
  refused('a target with one slash', head('GET http:/h/ HTTP/1.1', 'Host: h')),
];

const connection: readonly SmugglingCase[] = [
  passes(
    'what Connection names is taken out (7.6.1 of RFC 9110)',
    get('A: b', 'Connection: keep-alive, x-secret', 'X-Secret: c', 'Keep-Alive: timeout=5', 'Proxy-Connection: close'),
    head('GET / HTTP/1.1', 'host: h', 'a: b'),
  ),
  passes('empty elements', get('Connection: , keep-alive,,'), plainGet),
  passes(
    'TE',
    get('TE: gzip, trailers;q=1, trailers', 'Connection: TE'),
    head('GET / HTTP/1.1', 'host: h', 'connection: te', 'te: trailers'),
  ),
  passes('TE without trailers', get('TE: gzip', 'Connection: TE'), plainGet),
  passes(
    'an upgrade to h2c is not asked for (3.1 of RFC 9113)',
    get('Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AA'),
    plainGet,
  ),
  passes('an Upgrade that Connection does not name', get('Upgrade: websocket'), plainGet),
  passes('an Upgrade with a body', `${post('Connection: upgrade', 'Upgrade: x', 'Content-Length: 3')}abc`, postCounted),
  passes(
    'an expectation',
    `${post('Expect: 100-Continue', 'Content-Length: 3')}abc`,
    `${head('POST / HTTP/1.1', 'host: h', 'content-length: 3', 'expect: 100-continue')}abc`,
  ),
  passes('an expectation without a body', get('Expect: 100-continue'), plainGet),
  passes('nothing behind Connection: close', `${get('Connection: close')}${smuggled}`, plainGet),
  refused('another expectation', get('Expect: 100-continue, x'), 417),
  refused('Connection names Content-Length', `${post('Connection: Content-Length', 'Content-Length: 3')}abc`),
  refused('Connection names Transfer-Encoding', `${post('Connection: Transfer-Encoding', chunked)}0\r\n\r\n`),
  refused('Connection names Host', get('Connection: Host')),
  refused('Connection names Authorization', get('Connection: close, Authorization', 'Authorization: a')),
  refused('Connection names X-Forwarded-For', get('Connection: X-Forwarded-For', 'X-Forwarded-For: a')),
  refused('Connection names Cookie', get('Connection: cookie')),
  refused('a Connection that is no list of tokens', get('Connection: a b')),
  refused('an Upgrade that is no protocol', get('Connection: upgrade', 'Upgrade: a b')),
  refused('the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505),
];

export const smugglingCorpus: readonly SmugglingCase[] = [
  ...contentLength,
  ...transferEncoding,
  ...chunks,
  ...lines,
  ...requestLines,
  ...hosts,
  ...connection,
];
