/** Components that are composed of others, as linkers leave them. */
import { expect, test } from 'vitest';
import { buildComponent } from './build-component.ts';
import { componentOfText, echoText, instanceOf, LIMITS, refusalOf } from './test-components.ts';

/** A component inside with a memory of its own, whose function the outer one calls while it handles. */
const CALLS_INNER = echoText({
  before: `
    (component $inner
      (core module $m
        (memory (export "mem") 1)
        (global $top (mut i32) (i32.const 1024))
        (func (export "realloc") (param i32 i32 i32 i32) (result i32)
          (global.set $top (i32.add (global.get $top) (local.get 3)))
          (i32.sub (global.get $top) (local.get 3)))
        (func (export "count") (param i32 i32) (result i32) (local.get 1)))
      (core instance $i (instantiate $m))
      (func $count (param "text" string) (result u32)
        (canon lift (core func $i "count") (memory (core memory $i "mem")) (realloc (core func $i "realloc"))))
      (export "count" (func $count)))
    (instance $helper (instantiate $inner))
    (core module $libc (memory (export "mem") 1) (data (i32.const 8) "\\u{44f}\\u{44f}"))
    (core instance $libc (instantiate $libc))
    (core func $count (canon lower (func $helper "count") (memory (core memory $libc "mem"))))
    (core instance $helpers (export "count" (func $count)))`,
  fields: `
    (import "helpers" "count" (func $count (param i32 i32) (result i32)))
    (func $four (if (i32.ne (call $count (i32.const 8) (i32.const 4)) (i32.const 4)) (then unreachable)))`,
  first: '(call $four)',
  withs: '(with "helpers" (instance $helpers))',
});

test('one component that calls another inside it is built and runs', async () => {
  const built = await buildComponent(await componentOfText(CALLS_INNER), LIMITS);
  expect(built.facts).toMatchObject({ exports: ['handle'], imports: [] });
  // jco adds the module that carries the text from one memory to the other.
  expect(built.facts.coreModules).toBe(4);
  expect(await instanceOf(built).handle('"x"')).toBe('"x"');
});

/** Each has four of the next: so many parts that their number has no room in memory. */
function bomb(innermost: string, levels: number): string {
  let text = innermost;
  for (let level = 0; level < levels; level++) {
    text = `(component ${text.replace('(component', '(component $c')} ${'(instance (instantiate $c))'.repeat(4)})`;
  }
  return echoText({ before: `${text.replace('(component', '(component $c')} (instance (instantiate $c))` });
}

// Found before any tool tries: 967 bytes took jco half a gigabyte.
test.each([
  [
    'core instances',
    bomb(`(component (core module $m) ${'(core instance (instantiate $m))'.repeat(5)})`, 2),
    64,
  ],
  ['instances of nested components', bomb('(component)', 12), 64],
  ['nested components', echoText({ before: '(component)'.repeat(65) }), 64],
])('a component that would have too many %s is refused', async (what, text, max) => {
  expect(await refusalOf(await componentOfText(text))).toMatchObject({
    code: 'NEIRA_COMPONENT_TOO_MANY_PARTS',
    details: { what, max },
  });
});

test('instances that are counted through an alias of an outer component count too', async () => {
  const before = `
    (component $four (core module $m) ${'(core instance (instantiate $m))'.repeat(4)})
    (component $many (alias outer 1 $four (component $seen)) ${'(instance (instantiate $seen))'.repeat(20)})
    (instance (instantiate $many))`;
  expect(await refusalOf(await componentOfText(echoText({ before })))).toMatchObject({
    code: 'NEIRA_COMPONENT_TOO_MANY_PARTS',
    details: { what: 'core instances' },
  });
});

test('components nested too deeply are refused', async () => {
  const deep = `${'(component '.repeat(20)}${')'.repeat(20)}`;
  expect(await refusalOf(await componentOfText(echoText({ before: deep })))).toMatchObject({
    code: 'NEIRA_COMPONENT_UNSUPPORTED',
  });
});
