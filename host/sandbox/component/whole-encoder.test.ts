import { expect, test } from 'vitest';
import { WholeEncoder } from './whole-encoder.ts';

const encoder = new WholeEncoder();
const written = (text: string) => {
  const into = new Uint8Array(Buffer.byteLength(text));
  return { ...encoder.encodeInto(text, into), text: Buffer.from(into).toString() };
};

// HOST-12: what a component is given does not depend on where its letters lie.
test('a text fills exactly the room that it needs, whatever it ends with', () => {
  for (const end of ['и', 'é', '€', '😀', 'a'])
    for (let length = 0; length < 120; length++)
      for (let cyrillic = 0; cyrillic <= length; cyrillic++) {
        const text = 'a'.repeat(length - cyrillic) + 'и'.repeat(cyrillic) + end;
        const { read, text: back } = written(text);
        if (read !== text.length || back !== text)
          expect({ read, back }).toEqual({ read: text.length, text });
      }
});

test('half of a pair becomes the sign for what cannot be read', () => {
  expect(written('a\ud800')).toEqual({ read: 2, written: 4, text: 'a\ufffd' });
});

test('where there is too little room it says so, and writes no part of a letter', () => {
  expect(encoder.encodeInto('aя', new Uint8Array(2))).toEqual({ read: 0, written: 1 });
});
