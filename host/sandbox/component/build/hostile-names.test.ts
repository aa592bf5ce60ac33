/**
 * jco writes core names into its JavaScript without escaping them. These components carry code in a name, in
 * every place where the format has one; none may come through to where the glue runs.
 */
import { generate, $init as ready } from '@bytecodealliance/jco-transpile/component';
import { afterEach, expect, test } from 'vitest';
import { buildComponent } from './build-component.ts';
import { componentOfText, echoText, instanceOf, LIMITS, refusalOf } from './test-components.ts';

const CODE = "x']; globalThis.pwned = 1; //";
const global = globalThis as { pwned?: number };

afterEach(() => {
  expect(global.pwned).toBeUndefined();
});

test('the danger is real: what jco generates for such a name is code', async () => {
  await ready;
  const bytes = await componentOfText(echoText({ coreName: CODE }));
  const { files } = generate(bytes, { name: 'p', instantiation: { tag: 'sync' }, noTypescript: true });
  const glue = files
    .map(([name, content]) => (name === 'p.js' ? Buffer.from(content).toString() : ''))
    .join('');
  expect(glue.includes(CODE)).toBe(true);
});

const PLACES: readonly [string, string][] = [
  ['the name of a core export', echoText({ coreName: CODE })],
  [
    'the module of a core import',
    echoText({
      before: '(core module $o (func (export "f"))) (core instance $o (instantiate $o))',
      fields: `(import "${CODE}" "f" (func))`,
      withs: `(with "${CODE}" (instance $o))`,
    }),
  ],
  [
    'the name of a core import',
    echoText({
      before: `(core module $o (func (export "${CODE}"))) (core instance $o (instantiate $o))`,
      fields: `(import "o" "${CODE}" (func))`,
      withs: '(with "o" (instance $o))',
    }),
  ],
  [
    'an export of a core instance that is put together',
    echoText({
      before: `(core module $o (func (export "f"))) (core instance $o (instantiate $o))
        (alias core export $o "f" (core func $f)) (core instance $all (export "${CODE}" (func $f)))`,
    }),
  ],
  [
    'an argument that no module asked for',
    echoText({
      before: '(core module $o (func (export "f"))) (core instance $o (instantiate $o))',
      withs: `(with "${CODE}" (instance $o))`,
    }),
  ],
  [
    'a module in a nested component',
    echoText({
      before: `(component $inner (core module $o (func (export "${CODE}"))) (core instance (instantiate $o)))
        (instance (instantiate $inner))`,
    }),
  ],
  ['an import of the component', echoText({ before: `(import "${CODE}" (instance))` })],
  ['an import by address', echoText({ before: `(import "url=<${CODE}>" (instance))` })],
  [
    'an import of a nested component',
    echoText({ before: `(component (import "unlocked-dep=<a:b/c'];x>" (instance)))` }),
  ],
  [
    'an export of a nested component',
    echoText({ before: `(component $n (type $t u8) (export "${CODE}" (type $t)))` }),
  ],
  ['an export of an instance', echoText({ before: `(type $t u8) (instance (export "${CODE}" (type $t)))` })],
];

test.each(PLACES)('code in %s is refused as a name', async (_, text) => {
  const refused = await refusalOf(await componentOfText(text));
  expect(refused.code).toBe('NEIRA_COMPONENT_NAME');
  expect(refused.message).toMatch(/^[ -~]+$/);
});

// Labels of types are not read before the validator does; it lets nothing through but kebab-case.
test.each([
  ['a field of a record', `(type (record (field "${CODE}" u8)))`],
  ['a case of a variant', `(type (variant (case "${CODE}")))`],
  ['a flag', `(type (flags "${CODE}"))`],
  ['an enumeration', `(type (enum "${CODE}"))`],
  ['a parameter', `(type (func (param "${CODE}" u8)))`],
  ['an export of an instance type', `(type (instance (export "${CODE}" (func))))`],
])('code in %s does not validate', async (_, before) => {
  const refused = await refusalOf(await componentOfText(echoText({ before })));
  expect(refused.code).toBe('NEIRA_COMPONENT_CORRUPT');
});

test.each(["'", '"', '`', '\\\\', '\\0a', '\\0d', '\\e2\\80\\a8', '${', '*/', '\\00', '}', ';'])(
  'the sign %s is in no core name',
  async (sign) => {
    const inText = sign === '"' ? '\\22' : sign;
    const before = `(core module (func (export "a${inText}b")))`;
    expect((await refusalOf(await componentOfText(echoText({ before })))).code).toBe('NEIRA_COMPONENT_NAME');
  },
);

test('names as compilers give them come through and run', async () => {
  for (const coreName of ['cm32p2|neira:host/io@1|[method]x.y', '$main$1<T>', '__proto__', 'constructor']) {
    const built = await buildComponent(await componentOfText(echoText({ coreName })), LIMITS);
    expect(await instanceOf(built).handle('"x"')).toBe('"x"');
  }
});

test('a name that makes two variables of the glue one is refused', async () => {
  const refused = await refusalOf(await componentOfText(echoText({ coreName: '' })));
  expect(refused.code).toBe('NEIRA_COMPONENT_UNSUPPORTED');
  expect(refused.message).toContain('names of which no valid JavaScript can be made');
});

test('a name in a refusal is shown without what could act on a terminal', async () => {
  const refused = await refusalOf(await componentOfText(echoText({ coreName: '\u001b[2J\u202e"x"' })));
  expect(refused.message).toMatch(/^[ -~]+$/);
});
