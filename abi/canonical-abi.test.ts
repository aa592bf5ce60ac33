import { expect, test } from 'vitest';
import { CanonicalAbi, type Parts } from './canonical-abi.ts';
import { generate } from './gen.ts';
import functions from './types/functions.json' with { type: 'json' };
import { readWit } from './wit-reader.ts';

const WIT = `
package a:b@1.0.0;
interface types {
  record refusal { code: string, message: string, details: string }
  record small { name: string, size: option<u64>, side: side }
  record large { one: small, two: small, three: small }
  enum side { left, right }
}
interface one {
  use types.{refusal, small, large};
  few: func(small: small, n: f64) -> result<_, refusal>;
  many: func(large: large);
}
world plugin { import one; }
`;

const PARTS: Parts = {
  text: (value) => [`${value}.p`, `${value}.n`],
  isSome: (value) => `${value}?`,
  some: (value) => `${value}!`,
  field: (value, name) => `${value}.${name}`,
  word: (value) => value,
  wide: (value) => value,
};

test('arguments become core values in the order of the canonical ABI, and lie in memory where they are many', () => {
  const abi = new CanonicalAbi(readWit(new Map([['a.wit', WIT]])));
  const [few, many] = abi.functions;
  const flat = few!.fn.params.flatMap(({ name, type }) => abi.flat(type, name, PARTS));
  expect(flat.map(({ core, value }) => `${core} ${value}`)).toEqual([
    'pointer small.name.p',
    'length small.name.n',
    'i32 small.size?',
    'i64 small.size!',
    'i32 small.side',
    'f64 n',
  ]);
  expect([few!.inMemory, few!.answer.kind]).toEqual([false, 'result']);
  // 3 × 5 is not more than 16.
  expect([many!.inMemory, many!.answer.kind]).toEqual([false, 'none']);
  const wider = new CanonicalAbi(
    readWit(new Map([['a.wit', WIT.replace('three: small', 'three: small, four: side, five: side')]])),
  );
  expect(wider.functions[1]!.inMemory).toBe(true);
});

test.each([
  [
    'abi/types/neira.h',
    (module: string, name: string) => `import_module("${module}"), import_name("${name}")`,
  ],
  ['abi/types/neira.rs', (_: string, name: string) => `#[link_name = "${name}"]`],
])('%s has every host function', (file, spelled) => {
  const text = generate().get(file)!;
  const missing = functions.functions.filter(({ op }) => {
    const [family, name] = op.split('.') as [string, string];
    return !text.includes(spelled(`neira:host/${family}@1.0.0`, name));
  });
  expect(missing).toEqual([]);
});
