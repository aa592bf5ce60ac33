import { expect, test } from 'vitest';
import { keyOf, MAX_KEY_CHARS, parseSingularPath } from './key.ts';

test.each([
  ['$.payload.chat', 'c1'],
  ["$['payload']['chat']", 'c1'],
  ['$.payload.list[-1]', '2'],
  ['$.payload.deep', undefined],
  ['$.payload.missing.x', undefined],
  ['$.payload.constructor', undefined],
  ['$.payload.nothing', undefined],
  ['$.payload.long', expect.stringMatching(/^sha256:[0-9a-f]{64}$/)],
])('%s of an envelope is %s', (key, expected) => {
  expect(
    keyOf({ key })({
      payload: { chat: 'c1', list: [1, 2], deep: {}, nothing: null, long: 'x'.repeat(1000) },
    }),
  ).toEqual(expected);
});

test('without a path there is no key', () => {
  expect(keyOf({})({ payload: {} })).toBeUndefined();
});

test('a key is at most as long as its digest, however long the text is', () => {
  const key = (length: number) => keyOf({ key: '$.payload' })({ payload: 'k'.repeat(length) })!;
  expect(key(MAX_KEY_CHARS)).toBe('k'.repeat(MAX_KEY_CHARS));
  expect(key(MAX_KEY_CHARS + 1)).toHaveLength('sha256:'.length + 64);
  expect(key(MAX_KEY_CHARS + 1)).not.toBe(key(MAX_KEY_CHARS + 2));
});

test.each(['$.*', '$[0:2]', '$["a","b"]', '$[?@.a]', '$..a', '@.a', '', '$.a b', `$${'.a'.repeat(200)}`])(
  'the path %s, which could select several values or is none, is refused',
  (path) => {
    expect(() => parseSingularPath(path)).toThrow(/^is not /);
  },
);

test('fields that JavaScript adds to every object are no keys, and own fields of that name are', () => {
  const key = (path: string) => keyOf({ key: path })(JSON.parse('{"payload": {"__proto__": "own"}}'));
  expect(key('$.payload.__proto__')).toBe('own');
  for (const path of ['$.payload.toString', '$.__proto__', '$.payload.__proto__.length'])
    expect(key(path)).toBeUndefined();
});
