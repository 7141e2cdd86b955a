import { close, fragments, frame, Opcode } from './websocket-frames.ts';

/** One case: what a client sends to a server that echoes messages, and what must come back. */
export interface WebSocketCase {
  readonly name: string;
  readonly sent: Buffer;
  /** Code of the server's close frame; undefined = a close frame without a code. */
  readonly closedWith: number | undefined;
  /** How many messages are echoed before. */
  readonly messages: number;
  /** Send the octets one by one. */
  readonly isChopped?: boolean;
}

const ok = 1000;
const protocolError = 1002;
const invalidData = 1007;

function good(name: string, messages: number, ...sent: Buffer[]): WebSocketCase {
  return { name, sent: Buffer.concat([...sent, close()]), closedWith: ok, messages };
}

function bad(name: string, closedWith: number, sent: Buffer, messages = 0): WebSocketCase {
  return { name, sent, closedWith, messages };
}

const lengths = [0, 1, 125, 126, 127, 128, 65_535, 65_536];
const greek = 'κόσμε και 🜨';

function filled(length: number): Buffer {
  const octets = Buffer.alloc(length);
  for (let index = 0; index < length; index++) octets[index] = index % 251;
  return octets;
}

function messageCases(): WebSocketCase[] {
  return lengths.flatMap((length) => [
    good(`text of ${length} octets`, 1, frame(Opcode.text, 'x'.repeat(length))),
    good(`binary of ${length} octets`, 1, frame(Opcode.binary, filled(length))),
  ]);
}

function controlCases(): WebSocketCase[] {
  return [
    good('ping without payload', 0, frame(Opcode.ping)),
    good('ping with the longest payload', 0, frame(Opcode.ping, filled(125))),
    bad('ping that is too long', protocolError, frame(Opcode.ping, filled(126))),
    good('pong that nobody asked for', 0, frame(Opcode.pong, 'hello')),
    good('ten pings', 0, ...Array.from({ length: 10 }, (_, index) => frame(Opcode.ping, String(index)))),
    { ...good('ping octet by octet', 0, frame(Opcode.ping, 'chopped')), isChopped: true },
    bad('ping in fragments', protocolError, frame(Opcode.ping, 'a', { isLast: false })),
  ];
}

function reservedCases(): WebSocketCase[] {
  const bits = [1, 2, 3, 7].map((reserved) =>
    bad(`reserved bits ${reserved}`, protocolError, Buffer.concat([frame(Opcode.text, 'one'), frame(Opcode.text, 'two', { reserved })]), 1),
  );
  const opcodes = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => bad(`reserved opcode ${opcode}`, protocolError, frame(opcode, 'x')));
  return [...bits, ...opcodes, bad('a frame without mask', protocolError, frame(Opcode.text, 'bare', { isMasked: false }))];
}

function fragmentCases(): WebSocketCase[] {
  const [start, end] = [frame(Opcode.text, 'first ', { isLast: false }), frame(Opcode.continuation, 'last')];
  return [
    good('two fragments', 1, start, end),
    good('empty fragments', 1, fragments(Opcode.text, ['', '', ''])),
    good(
      'a thousand fragments',
      1,
      fragments(
        Opcode.binary,
        Array.from({ length: 1000 }, (_, index) => filled(index % 7)),
      ),
    ),
    good('ping between fragments', 1, start, frame(Opcode.ping, 'now'), end),
    { ...good('fragments octet by octet', 1, start, frame(Opcode.ping, 'now'), end), isChopped: true },
    bad('a continuation of nothing', protocolError, end),
    bad('a message within a message', protocolError, Buffer.concat([start, frame(Opcode.text, 'second')])),
    bad('a second continuation of nothing', protocolError, Buffer.concat([start, end, end]), 1),
  ];
}

function utf8Cases(): WebSocketCase[] {
  const text = Buffer.from(greek);
  const invalid: [string, number[]][] = [
    ['a lone continuation', [0x80]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['an overlong NUL in three octets', [0xe0, 0x80, 0x80]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['beyond the last code point', [0xf4, 0x90, 0x80, 0x80]],
    ['an octet that never occurs', [0xff]],
    ['an unfinished character', [0xce, 0xba, 0xe1, 0xbd]],
  ];
  return [
    good('text of several scripts', 1, frame(Opcode.text, greek)),
    good(
      'characters cut by fragments',
      1,
      fragments(
        Opcode.text,
        Array.from(text, (octet) => Buffer.from([octet])),
      ),
    ),
    good('the first and last code points', 1, frame(Opcode.text, '\0\x7f\x80\u07ff\u0800\uffff\u{10000}\u{10ffff}')),
    ...invalid.map(([name, octets]) => bad(`invalid text: ${name}`, invalidData, frame(Opcode.text, Buffer.from(octets)))),
    bad('invalid text in the last of three fragments', invalidData, fragments(Opcode.text, ['one', 'two', Buffer.from([0xc0])])),
    good('the same octets as binary', 1, frame(Opcode.binary, Buffer.from([0xc0, 0xaf, 0xff]))),
  ];
}

function closeCases(): WebSocketCase[] {
  const codes = (list: readonly number[]): [number, WebSocketCase][] =>
    list.map((code) => [code, { name: `close with ${code}`, sent: close(code), closedWith: code, messages: 0 }]);
  return [
    { name: 'close without code', sent: frame(Opcode.close), closedWith: undefined, messages: 0 },
    { name: 'close with a reason', sent: close(1000, greek), closedWith: 1000, messages: 0 },
    { name: 'close with the longest reason', sent: close(1001, 'r'.repeat(123)), closedWith: 1001, messages: 0 },
    bad('close that is too long', protocolError, close(1000, 'r'.repeat(124))),
    bad('close with half a code', protocolError, frame(Opcode.close, Buffer.from([3]))),
    bad('close with a reason that is no text', invalidData, close(1000, Buffer.from([0xce, 0xba, 0xff]))),
    { name: 'frames behind a close', sent: Buffer.concat([close(), frame(Opcode.text, 'late')]), closedWith: ok, messages: 0 },
    ...codes([1001, 1003, 1007, 1011, 3000, 3999, 4000, 4999]).map(([, valid]) => valid),
    ...codes([0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535]).map(([, invalid]) => ({ ...invalid, closedWith: protocolError })),
  ];
}

function largeCases(): WebSocketCase[] {
  const mebibyte = 1_048_576;
  const pieces = Array.from({ length: 64 }, () => filled(16_384));
  return [
    good('text of 1 MiB', 1, frame(Opcode.text, 'é'.repeat(mebibyte / 2))),
    good('binary of 8 MiB', 1, frame(Opcode.binary, filled(8 * mebibyte))),
    good('1 MiB in fragments of 16 KiB', 1, fragments(Opcode.binary, pieces)),
    good('a thousand messages', 1000, ...Array.from({ length: 1000 }, (_, index) => frame(Opcode.text, `message ${index}`))),
  ];
}

export const webSocketCases: readonly WebSocketCase[] = [
  ...messageCases(),
  ...controlCases(),
  ...reservedCases(),
  ...fragmentCases(),
  ...utf8Cases(),
  ...closeCases(),
  ...largeCases(),
];
