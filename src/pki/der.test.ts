import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as asn1 from 'asn1js';
import * as fc from 'fast-check';
import { DerReader, DerTag, checkDer, objectIdentifierHex } from './der.ts';

const refused = { code: 'bad-der' };

function reader(hex: string): DerReader {
  return new DerReader(Uint8Array.fromHex(hex));
}

test('numbers, texts and truth values are read as another encoder writes them', () => {
  fc.assert(
    fc.property(fc.nat(), fc.string({ unit: 'binary', maxLength: 300 }), fc.boolean(), (number, text, truth) => {
      const value = [new asn1.Integer({ value: number }), new asn1.Utf8String({ value: text }), new asn1.Boolean({ value: truth })];
      const bytes = new Uint8Array(new asn1.Sequence({ value }).toBER());
      checkDer(bytes);
      const fields = new DerReader(bytes).inside(DerTag.sequence);
      assert.deepEqual([fields.smallInteger(), fields.text(DerTag.utf8String), fields.boolean()], [number, text, truth]);
      fields.end();
    }),
  );
});

test('object identifiers have the octets that another encoder gives them', () => {
  for (const dotted of ['2.5.29.15', '1.2.840.10045.4.3.2', '2.25.56160705136293575136189069909065185982.2', '2.999.0']) {
    const bytes = new Uint8Array(new asn1.ObjectIdentifier({ value: dotted }).toBER());
    assert.equal(objectIdentifierHex(dotted), bytes.slice(2).toHex(), dotted);
  }
});

test('there is one form only', () => {
  for (const [hex, why] of [
    ['308002010000', 'indefinite length'],
    ['3081030201 00', 'length in more octets than needed'],
    ['308200030201 00', 'length in more octets than needed'],
    ['3083000003020100', 'length of three octets'],
    ['3003020100 00', 'something after'],
    ['30040201', 'cut off'],
    ['3003020200', 'cut off inside'],
    ['3f0100', 'long tag'],
    ['30', 'no length'],
    ['', 'nothing'],
  ] as const) {
    const even = hex.replaceAll(' ', '');
    assert.throws(() => checkDer(Uint8Array.fromHex(even)), refused, why);
  }
  for (const hex of ['02020001', '0201ff', '0200', '02058000000000', '020480000000', '02050080000000']) {
    assert.throws(() => reader(hex).smallInteger(), refused, hex);
  }
  assert.equal(reader('02047fffffff').smallInteger(), 0x7fff_ffff);
  for (const hex of ['010101', '0100', '01020000']) assert.throws(() => reader(hex).boolean(), refused, hex);
  assert.throws(() => reader('0c01ff').text(DerTag.utf8String), refused);
  assert.throws(() => reader('03020780').wholeOctets(), refused);
  assert.throws(() => reader('0300').wholeOctets(), refused);
  assert.throws(() => reader('02022100').unsigned(1), refused);
  for (const hex of ['0600', '060180', '060281aa', '0603808001', '06032a8001'])
    assert.throws(() => reader(hex).objectIdentifier(), refused, hex);
  assert.equal(reader('0603818001').objectIdentifier(), '818001');
  assert.throws(() => reader('0500').content(DerTag.sequence), refused);
});

test('elements within elements are bounded, and so is what any octets cost', () => {
  const nested = (depth: number): Uint8Array<ArrayBuffer> => {
    let bytes = new Uint8Array(0);
    for (; depth > 0; depth--) bytes = Uint8Array.of(0x30, bytes.length, ...bytes);
    return bytes;
  };
  checkDer(nested(16));
  assert.throws(() => checkDer(nested(18)), refused);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      try {
        checkDer(Uint8Array.from(bytes));
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'bad-der');
      }
    }),
  );
});
