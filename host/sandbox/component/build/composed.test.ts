/** Components that are composed of others, as linkers leave them. */
import { describe, expect, test } from 'vitest';
import { buildComponent } from './build-component.ts';
import { componentOfText, echoText, instanceOf, LIMITS, refusalOf } from './test-components.ts';

/** A component with a memory of its own; it exports `count`, which answers the bytes of a text. */
const COUNTER = `
  (core module $counter
    (memory (export "mem") 1)
    (global $top (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.set $top (i32.add (global.get $top) (local.get 3)))
      (i32.sub (global.get $top) (local.get 3)))
    (func (export "count") (param i32 i32) (result i32) (local.get 1)))
  (core instance $c (instantiate $counter))
  (func $count (param "text" string) (result u32)
    (canon lift (core func $c "count") (memory (core memory $c "mem")) (realloc (core func $c "realloc"))))`;

/** Calls `count` of the instance `$helper` while it handles, and traps when the answer is not right. */
function callsHelper(before: string): string {
  return echoText({
    before: `${before}
      (core module $libc (memory (export "mem") 1) (data (i32.const 8) "\u{44f}\u{44f}"))
      (core instance $libc (instantiate $libc))
      (core func $count (canon lower (func $helper "count") (memory (core memory $libc "mem"))))
      (core instance $helpers (export "count" (func $count)))`,
    fields: `
      (import "helpers" "count" (func $count (param i32 i32) (result i32)))
      (func $four (if (i32.ne (call $count (i32.const 8) (i32.const 4)) (i32.const 4)) (then unreachable)))`,
    first: '(call $four)',
    withs: '(with "helpers" (instance $helpers))',
  });
}

test('one component that calls another inside it is built and runs', async () => {
  const inside = `(component $inner ${COUNTER} (export "count" (func $count)))
    (instance $helper (instantiate $inner))`;
  const built = await buildComponent(await componentOfText(callsHelper(inside)), LIMITS);
  expect(built.facts).toMatchObject({ exports: ['handle'], imports: [] });
  // jco adds the module that carries the text from one memory to the other.
  expect(built.facts.coreModules).toBe(4);
  expect(await instanceOf(built).handle('"x"')).toBe('"x"');
});

describe('linking', () => {
  const FACE = 'acme:text/count@1.0.0';
  const asks = (type: string) =>
    componentOfText(callsHelper(`(import "${FACE}" (instance $helper (export "count" (func ${type}))))`));
  const consumer = () => asks('(param "text" string) (result u32)');
  const gives = (name: string) =>
    componentOfText(
      echoText({
        before: `${COUNTER} (instance $face (export "count" (func $count))) (export "${name}" (instance $face))`,
      }),
    );

  test('what one component exports another imports, and calls it in its turn', async () => {
    const links = [{ bytes: await gives(FACE), interfaces: [FACE] }];
    const built = await buildComponent(await consumer(), { ...LIMITS, links });
    expect(built.facts).toMatchObject({ exports: ['handle'], imports: [] });
    expect(await instanceOf(built).handle('"x"')).toBe('"x"');
  });

  test('a component that provides for others is built by itself like any other', async () => {
    const built = await buildComponent(await gives(FACE), { ...LIMITS, provides: [FACE] });
    expect(built.facts.exports).toEqual(['handle']);
  });

  test('an interface that nobody was linked for is a forbidden import', async () => {
    const refused = await refusalOf(await consumer());
    expect(refused).toMatchObject({ code: 'NEIRA_COMPONENT_IMPORTS', details: { imports: [FACE] } });
    expect(refused.message).toContain('permissions.links');
  });

  test('an interface of the same name and of another type is a wrong world', async () => {
    const links = [{ bytes: await gives(FACE), interfaces: [FACE] }];
    const refused = await refusalOf(await asks('(param "text" string) (result s32)'), { links });
    expect(refused.code).toBe('NEIRA_COMPONENT_WORLD');
    expect(refused.message).toContain(FACE);
  });

  test('a promise of the manifest that the component does not keep is a wrong world', async () => {
    const other = await gives('acme:text/other@1.0.0');
    const links = [{ bytes: other, interfaces: [FACE] }];
    for (const refused of [
      await refusalOf(other, { provides: [FACE] }),
      await refusalOf(await consumer(), { links }),
    ]) {
      expect(refused.code).toBe('NEIRA_COMPONENT_WORLD');
      expect(refused.message).toContain(FACE);
    }
  });

  test('a link gives no way around what is forbidden', async () => {
    const sockets = 'wasi:sockets/tcp@0.2.0';
    const links = [{ bytes: await gives(FACE), interfaces: [FACE] }];
    const consuming = await componentOfText(echoText({ before: `(import "${sockets}" (instance))` }));
    expect((await refusalOf(consuming, { links })).code).toBe('NEIRA_COMPONENT_IMPORTS');
    const providing = await componentOfText(
      echoText({
        before: `(import "${sockets}" (instance)) (instance $none) (export "${FACE}" (instance $none))`,
      }),
    );
    const refused = await refusalOf(await consumer(), { links: [{ bytes: providing, interfaces: [FACE] }] });
    expect(refused).toMatchObject({ code: 'NEIRA_COMPONENT_IMPORTS', details: { imports: [sockets] } });
  });
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
