import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatFields, formatTable, formatTree } from './table.ts';

test('columns are as wide as their widest cell, without blanks at line ends', () => {
  const table = formatTable(
    ['NAME', 'STATUS', 'MESSAGE'],
    [
      ['a-long-name', 'Ready', 'OK'],
      ['b', 'Pending', ''],
    ],
  );
  assert.equal(table, 'NAME         STATUS   MESSAGE\na-long-name  Ready    OK\nb            Pending\n');
});

test('a cell cannot break its line or steer the terminal', () => {
  assert.equal(formatTable(['NAME'], [['x\n\u001b[31my']]), 'NAME\nx\\n\\x1b[31my\n');
});

test('fields stand below one another', () => {
  assert.equal(
    formatFields([
      ['Name', 'x'],
      ['Status', 'Ready'],
    ]),
    'Name:   x\nStatus: Ready\n',
  );
});

test('a tree shows what belongs to what', () => {
  const tree = formatTree([
    { text: 'a', children: [{ text: 'b', children: [{ text: 'c' }] }, { text: 'd\u001b' }] },
    { text: 'e', children: [{ text: 'f' }] },
  ]);
  assert.equal(tree, '├─ a\n│  ├─ b\n│  │  ╰─ c\n│  ╰─ d\\x1b\n╰─ e\n   ╰─ f\n');
});
