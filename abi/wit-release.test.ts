import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadWit } from './gen.ts';
import { readWit } from './wit-reader.ts';
import { breaksOf, RELEASED_FILE, type Releases, releasedBefore, releaseOf } from './wit-release.ts';

const ROOT = path.resolve(import.meta.dirname, '..');

test('the WIT keeps everything that was released under its major version', () => {
  const releases = JSON.parse(readFileSync(path.join(ROOT, RELEASED_FILE), 'utf8')) as Releases;
  const wit = loadWit();
  const released = releasedBefore(releases, wit.id);
  expect(Object.keys(released).length).toBeGreaterThan(0);
  expect(breaksOf(released, releaseOf(wit))).toEqual([]);
});

const RELEASED = `
package a:b@1.0.0;
interface shapes {
  record pair { left: string, right: option<u32> }
  enum side { left, right }
  type note = string;
}
interface one {
  use shapes.{pair, side, note};
  /// Does it.
  run: func(pair: pair, side: side) -> result<note, string>;
  rest: func();
}
world plugin {
  import one;
  export handle: func(input: string) -> string;
}
`;

const releaseOfText = (text: string) => releaseOf(readWit(new Map([['a.wit', text]])));

describe('against a release', () => {
  const breaks = (from: string | RegExp, to: string) => {
    const changed = RELEASED.replace(from, to);
    expect(changed).not.toBe(RELEASED);
    return breaksOf(releaseOfText(RELEASED), releaseOfText(changed));
  };

  test.each([
    ['other docs', '/// Does it.', '/// Does it otherwise.'],
    ['a new function', 'rest: func();', 'rest: func(); more: func();'],
    ['a new type', 'type note = string;', 'type note = string; type other = u32;'],
    ['a new interface and import', /interface one \{/, 'interface two { go: func(); }\ninterface one {'],
    ['a new world', /$/, 'world other { include plugin; export more: func(); }\n'],
  ])('%s breaks nothing', (_name, from, to) => {
    expect(breaks(from, to)).toEqual([]);
  });

  test.each([
    ['a function that is gone', 'rest: func();', '', 'function one.rest is gone'],
    ['a function renamed', 'rest: func();', 'remainder: func();', 'function one.rest is gone'],
    ['a parameter more', 'rest: func();', 'rest: func(n: u32);', 'function one.rest was `func()`'],
    ['a parameter of another type', 'side: side)', 'side: note)', 'function one.run was'],
    ['a function that now waits', '/// Does it.', '/// Waits: for it.', 'is `waiting func('],
    [
      'a field more',
      'right: option<u32> }',
      'right: option<u32>, more: option<u32> }',
      'type shapes.pair was',
    ],
    ['a field less', 'left: string, ', '', 'type shapes.pair was'],
    ['a field of another type', 'right: option<u32> }', 'right: option<u64> }', 'type shapes.pair was'],
    ['a case more', 'enum side { left, right }', 'enum side { left, right, top }', 'type shapes.side was'],
    ['a type that means something else', 'type note = string;', 'type note = u32;', 'type shapes.note was'],
    ['an import that is gone', '  import one;\n', '', 'import plugin one is gone'],
    ['an export of another type', '(input: string)', '(input: u32)', 'export plugin handle was'],
    ['an export more', /\n\}\n$/, '\n  export more: func();\n}\n', 'export plugin more is new'],
  ])('%s breaks it', (_name, from, to, said) => {
    expect(breaks(from, to).join('\n')).toContain(said);
  });

  test('every version of one major line binds, and another line does not', () => {
    const releases = { 'a:b@1.0.0': { x: '1' }, 'a:b@1.1.0': { y: '2' }, 'a:b@2.0.0': { z: '3' } };
    expect(releasedBefore(releases, 'a:b@1.2.0')).toEqual({ x: '1', y: '2' });
    expect(releasedBefore(releases, 'a:b@3.0.0')).toEqual({});
  });
});
