import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CniError } from './cni-error.ts';
import { encodeReply, RequestReader, requestLimit } from './cni-request.ts';

/** A request as the plugin sends it. */
function framed(body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + body.length);
  new DataView(bytes.buffer).setUint32(0, body.length);
  bytes.set(body, 4);
  return bytes;
}

test('a request is whole at its last octet, however it is cut', () => {
  const body = new TextEncoder().encode('{"env":{},"config":""}');
  const bytes = framed(body);
  for (let size = 1; size <= bytes.length; size++) {
    const reader = new RequestReader();
    for (let at = 0; at < bytes.length; at += size) {
      const request = reader.receive(bytes.subarray(at, at + size));
      assert.deepEqual(request, at + size >= bytes.length ? body : undefined);
    }
  }
});

test('a request of the limit is taken, one octet more is refused before it comes', () => {
  assert.equal(new RequestReader().receive(framed(new Uint8Array(requestLimit)))?.length, requestLimit);
  assert.throws(() => new RequestReader().receive(framed(new Uint8Array(requestLimit + 1)).subarray(0, 4)), CniError);
});

test('nothing may stand behind the request', () => {
  assert.throws(() => new RequestReader().receive(Uint8Array.of(0, 0, 0, 1, 65, 66)), CniError);
});

test('a reply is its length, the exit status and the text', () => {
  assert.deepEqual([...encodeReply({ exitStatus: 1, text: 'é' })], [0, 0, 0, 3, 1, 0xc3, 0xa9]);
  assert.deepEqual([...encodeReply({ exitStatus: 0, text: '' })], [0, 0, 0, 1, 0]);
});
