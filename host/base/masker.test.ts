import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type KnownText, Masker, MIN_BYTES } from './masker.ts';
import { encodingsOf, writingsOf } from './text-encodings.ts';

/** NEIRA_TEST_SEED runs what failed again; vitest prints the seed of a failure. */
const SEED = Number(process.env['NEIRA_TEST_SEED'] ?? Date.now() % 2 ** 31);

const secret = (text: string, label = '[secret:a]'): KnownText => ({ text, label, encodings: 'all' });
const KEY = 'hunter2-ключ"/x+ y';

describe('a secret is found', () => {
  const masker = new Masker([secret(KEY)]);
  const bytes = Buffer.from(KEY);
  const form = new URLSearchParams({ key: KEY }).toString().slice('key='.length);

  test.each<[string, string]>([
    ['as it is', KEY],
    ['as JSON', JSON.stringify(KEY).slice(1, -1)],
    ['as JSON within JSON', JSON.stringify(JSON.stringify(KEY)).slice(3, -3)],
    [
      'as JSON in ASCII',
      JSON.stringify(KEY)
        .slice(1, -1)
        .replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`),
    ],
    ['in an address', encodeURIComponent(KEY)],
    ['in an address in lower case', encodeURIComponent(KEY).replace(/%../g, (part) => part.toLowerCase())],
    ['in a form', form],
    ['as hex', bytes.toString('hex')],
    ['as HEX', bytes.toString('hex').toUpperCase()],
    ['as base64', bytes.toString('base64')],
    ['as base64url', bytes.toString('base64url')],
  ])('%s', (_how, written) => {
    expect(masker.mask(`x=${written};`)).toMatch(/^x=\[secret:a\][A-Za-z0-9+/_=-]{0,3};$/);
    expect(masker.find(`x=${written};`)).toBe('[secret:a]');
  });

  test.each([0, 1, 2, 3, 4])('as base64 behind %i other bytes, and before others', (before) => {
    const whole = Buffer.concat([Buffer.alloc(before, 0xa5), bytes, Buffer.from('tail of it')]);
    for (const encoding of ['base64', 'base64url'] as const)
      expect(masker.mask(whole.toString(encoding))).toContain('[secret:a]');
  });
});

test('what two secrets share is taken away with both', () => {
  const masker = new Masker([secret('user:password', '[secret:a]'), secret('password:admin', '[secret:b]')]);
  expect(masker.mask('user:password:admin!')).toBe('[secret:a]!');
  expect(masker.mask('user:passwordpassword:admin')).toBe('[secret:a][secret:b]');
});

test('a short one is found where it stands by itself, and words are left as they are', () => {
  const masker = new Masker([secret('cat')]);
  expect(masker.mask('cat, "cat" cat=cat\ncat')).toBe(
    '[secret:a], "[secret:a]" [secret:a]=[secret:a]\n[secret:a]',
  );
  expect(masker.mask('concatenate category cat_1 cats')).toBe('concatenate category cat_1 cats');
  // The letter before it belongs to an escape.
  expect(masker.mask('"\\ncat" %20cat \\u0020cat')).toBe('"\\n[secret:a]" %20[secret:a] \\u0020[secret:a]');
});

test('a value keeps its shape: names, texts and numbers are masked each by itself', () => {
  const masker = new Masker([secret('12345678'), secret('1')]);
  expect(masker.maskValue({ a: [12345678, 1, 2, '1'], 'of 12345678': null, b: true })).toEqual({
    a: ['[secret:a]', '[secret:a]', 2, '[secret:a]'],
    'of [secret:a]': null,
    b: true,
  });
});

test('a secret that is all alike does not make a large text expensive', () => {
  const masker = new Masker([secret('a'.repeat(64 * 1024))]);
  expect(masker.mask('a'.repeat(1024 * 1024))).toBe('[secret:a]');
});

test('nothing known: nothing is looked for', () => {
  expect([new Masker([]).isEmpty, new Masker([]).mask('x'), new Masker([secret('')]).mask('x')]).toEqual([
    true,
    'x',
    'x',
  ]);
});

// --- against what is too simple to be wrong

interface Found {
  readonly start: number;
  readonly end: number;
}

function naive(known: readonly KnownText[], text: string): string {
  const found: Found[] = [];
  const anywhere = new Set<string>();
  const alone = new Set<string>();
  for (const { text: value, encodings } of known) {
    const whole = Buffer.byteLength(value) < MIN_BYTES;
    const written = encodings === 'all' ? encodingsOf(value, whole) : writingsOf(value);
    for (const each of written) (whole ? alone : anywhere).add(each);
  }
  const isWord = (letter: string | undefined) => letter !== undefined && /[\p{L}\p{N}_]/u.test(letter);
  for (const pattern of [...anywhere, ...alone]) {
    for (let at = text.indexOf(pattern); at >= 0; at = text.indexOf(pattern, at + 1)) {
      const end = at + pattern.length;
      const escaped = /(?:\\[nrtbf]|\\u[0-9a-f]{4}|%[0-9a-f]{2})$/i.test(text.slice(0, at));
      const stands = (!isWord(text[at - 1]) || escaped) && !isWord(text[end]);
      if (anywhere.has(pattern) || stands) found.push({ start: at, end });
    }
  }
  let masked = '';
  let at = 0;
  found.sort((a, b) => a.start - b.start || b.end - a.end);
  for (let index = 0; index < found.length; ) {
    const { start } = found[index]!;
    let { end } = found[index]!;
    for (index++; index < found.length && found[index]!.start < end; index++)
      end = Math.max(end, found[index]!.end);
    masked += `${text.slice(at, start)}*`;
    at = end;
  }
  return masked + text.slice(at);
}

/** Few letters, so that texts meet. */
const LETTERS = fc.constantFrom('a', 'b', 'ab', '"', '\\', ' ', '%', '1', 'я', '\n', '_', '😀');
const word = (maxLength: number) =>
  fc.array(LETTERS, { minLength: 1, maxLength }).map((letters) => letters.join(''));

test('it finds what the simplest search finds, in whatever it is written', () => {
  const written = fc.tuple(fc.nat(), fc.nat()).map(([which, how]) => (values: readonly string[]) => {
    const value = values[which % values.length]!;
    const all = [...encodingsOf(value, Buffer.byteLength(value) < MIN_BYTES)];
    return all[how % all.length]!;
  });
  const part = fc.oneof(
    word(6).map((text) => () => text),
    written,
  );
  fc.assert(
    fc.property(
      fc.array(word(10), { minLength: 1, maxLength: 4 }),
      fc.array(part, { maxLength: 12 }),
      fc.boolean(),
      (values, parts, all) => {
        const text = parts.map((make) => make(values)).join('');
        const known = values.map(
          (value): KnownText => ({ text: value, label: '*', encodings: all ? 'all' : 'written' }),
        );
        const masker = new Masker(known);
        const expected = naive(known, text);
        expect(masker.mask(text)).toBe(expected);
        expect(masker.find(text) !== undefined).toBe(expected !== text || text.includes('*'));
      },
    ),
    { seed: SEED, numRuns: 3000 },
  );
});
