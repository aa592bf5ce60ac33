import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAst } from 'vitest/node';
import { ERRORS } from '../host/errors.ts';
import { generate, loadWit, staleFiles } from './gen.ts';
import functions from './types/functions.json' with { type: 'json' };
import { camelCase, readWit } from './wit-reader.ts';

const ROOT = path.resolve(import.meta.dirname, '..');
const run = promisify(execFile);

test('two generations give the same bytes, and these are the committed ones', () => {
  expect([...generate()]).toEqual([...generate()]);
  expect(staleFiles()).toEqual([]);
});

test('`--check` fails with the names of stale and missing files, and writes nothing', async () => {
  const copy = mkdtempSync(path.join(tmpdir(), 'neira-gen-'));
  try {
    for (const part of ['abi', 'gates', 'host', 'plugins']) {
      cpSync(path.join(ROOT, part), path.join(copy, part), { recursive: true });
    }
    symlinkSync(path.join(ROOT, 'node_modules'), path.join(copy, 'node_modules'));
    writeFileSync(path.join(copy, 'package.json'), '{"type": "module"}');
    const check = () => run(process.execPath, ['abi/gen.ts', '--check'], { cwd: copy });
    await check();
    writeFileSync(path.join(copy, 'abi/errors.md'), 'edited by hand');
    rmSync(path.join(copy, 'gates/CAPABILITIES.md'));
    const failure = await check().catch((error: { code: number; stderr: string }) => error);
    expect(failure).toMatchObject({ code: 1 });
    expect(failure.stderr).toMatch(/^stale: abi\/errors\.md .*\nstale: gates\/CAPABILITIES\.md .*\n$/);
    expect(readFileSync(path.join(copy, 'abi/errors.md'), 'utf8')).toBe('edited by hand');
  } finally {
    rmSync(copy, { recursive: true });
  }
});

test('a function of the WIT that waits answers scripts with a promise', () => {
  const types = generate().get('abi/types/guest.d.ts');
  expect(types).toContain(
    'export function request<T = Json>(command: string, payload: Json, options?: RequestOptions): Promise<T>;',
  );
  expect(types).toContain(
    'export function publish(event: string, payload: Json, options?: PublishOptions): string;',
  );
});

// MIS-06: only host functions for storage, IO and bus; `principals` says on whose behalf these are called, and time
// within the turn and texts are no way to the world.
const FAMILIES = ['storage', 'io', 'bus', 'principals', 'timer', 'intl'];

test('the world of a plugin is storage, io and bus, and beside them what touches nothing', () => {
  expect(loadWit().worlds.map(({ name, imports }) => [name, imports])).toEqual([
    ['plugin', FAMILIES],
    ['prepared-plugin', FAMILIES],
  ]);
});

describe.each(FAMILIES)('neira:host/%s', (family) => {
  test('the script side exports exactly the functions of the WIT', () => {
    const file = path.join(ROOT, 'host/sandbox/quickjs/guest', `${family}.ts`);
    const exported = exportsOf(readFileSync(file, 'utf8'));
    const wit = loadWit().interfaces.find(({ name }) => name === family)!;
    // Scripts have functions bound to a principal in place of the switch.
    const names = wit.functions.map(({ name }) => (name === 'act-as' ? 'as' : camelCase(name)));
    expect(exported.sort()).toEqual(names.sort());
  });

  test('the host answers exactly the functions of the WIT', async () => {
    const { hostFunctions } = await import('../host/functions/table.ts');
    const ops = [...hostFunctions.keys()].filter((op) => op.startsWith(`${family}.`));
    expect(ops.sort()).toEqual(
      functions.functions
        .filter((each) => each.interface === family)
        .map(({ op }) => op)
        .sort(),
    );
  });
});

test('the error reference names every code of the catalogue', () => {
  const reference = generate().get('abi/errors.md')!;
  for (const code of Object.keys(ERRORS)) expect(reference).toContain(`| \`${code}\` |`);
});

describe('WIT that the generators do not know is refused with file and line', () => {
  const refused: readonly (readonly [name: string, line: string, message: string])[] = [
    ['a resource', 'resource file;', 'a.wit:3: expected `:` and not `file`'],
    ['a tuple', 'f: func(a: tuple<u32>);', 'a.wit:3: the type tuple is not read here'],
    ['an unknown type', 'f: func(a: wide);', 'a.wit:3: the type wide is not known'],
    ['a function twice', 'f: func(); f: func();', 'a.wit:3: f is there twice'],
    ['a use of nothing', 'use other.{thing};', 'a.wit:3: there is no interface other'],
    ['a use of a type that is not there', 'use b.{thing};', 'a.wit:3: interface b defines no type thing'],
    ['an attribute', '@since(version = 1.0.0)', 'a.wit:3: expected a name and not `@`'],
    ['a block comment', '/* why */', 'a.wit:3: block comments are not read here'],
    ['a strange sign', 'f: func(a: u32) & ;', 'a.wit:3: `& ;` is not understood'],
    ['an end too early', 'f: func(', 'expected a name and not `}`'],
  ];
  test.each(refused)('%s', (_name, line, message) => {
    const text = `package a:b@1.0.0;\ninterface a {\n${line}\n}\ninterface b {}\n`;
    expect(() => readWit(new Map([['a.wit', text]]))).toThrow(message);
  });

  test('files of two packages', () => {
    const files = new Map([
      ['a.wit', 'package a:b@1.0.0;'],
      ['b.wit', 'package a:b@2.0.0;'],
    ]);
    expect(() => readWit(files)).toThrow('b.wit:1: package a:b@2.0.0 beside a:b@1.0.0');
  });
});

describe('the types that authors see', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'neira-types-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('accept what works and refuse what the host would refuse', async () => {
    writeFileSync(path.join(folder, 'plugin.ts'), SAMPLE);
    const compilerOptions = {
      target: 'es2023',
      lib: ['es2023'],
      module: 'esnext',
      moduleResolution: 'bundler',
      types: [],
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      verbatimModuleSyntax: true,
      noEmit: true,
      // The declarations themselves are checked too.
      skipLibCheck: false,
    };
    const files = [
      path.join(ROOT, 'abi/types/guest.d.ts'),
      path.join(ROOT, 'abi/types/host.d.ts'),
      'plugin.ts',
    ];
    writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
    const tsc = path.join(ROOT, 'node_modules/typescript/bin/tsc');
    const { code, output } = await run(process.execPath, [tsc, '-p', folder]).then(
      () => ({ code: 0, output: '' }),
      (error: { code: number; stdout: string }) => ({ code: error.code, output: error.stdout }),
    );
    expect({ code, output }).toEqual({ code: 0, output: '' });
  });
});

const SAMPLE = `
import { add, append, delete as remove, get, list, saveAnnotation, saveMessage, set, settings } from 'neira:host/storage';
import { log, send } from 'neira:host/io';
import { publish } from 'neira:host/bus';
import { as, type Acting, register, remove as leave } from 'neira:host/principals';
// @ts-expect-error scripts have no switch that promises could mix up
import { actAs } from 'neira:host/principals';
import { type Action, type Entry, type Envelope, NeiraError, type Reply } from 'neira:host/types';
// @ts-expect-error a name of ours that is not exported
import { delete_ } from 'neira:host/storage';
// @ts-expect-error there is no such module
import {} from 'neira:host/files';

type Note = { text: string; tags?: string[] };

export async function handle(event: Envelope<{ note: Note }>): Promise<Reply> {
  const found: Entry<Note> | undefined = get<Note>('note');
  const text: string = found?.value.text ?? '';
  set('note', event.payload.note, found?.version ?? 0);
  set('numbers', [1, 2, null, { deep: true }]);
  remove('old');
  const keys: string[] = list('note/', { limit: 10, reverse: true }).map((entry) => entry.key);
  add('count', -0.5);
  append('log', { at: event.ts, keys });
  const id: string = saveAnnotation({ chatId: 'c', sessionId: 's', kind: 'stroke', data: { points: [[0, 1]] } });
  saveMessage({ chatId: 'c', sessionId: 's', role: 'user', text });
  const { limit } = settings<{ limit: number }>();
  log('info', String(limit));
  register({ id: 'scenario:one', title: 'One', permissions: { storage: ['read'] }, digest: 'sha256:aa' });
  const me: Acting = as('scenario:one');
  const mine: Entry<Note> | undefined = me.storage.get<Note>('note');
  const told: { ok: boolean } = await me.bus.request<{ ok: boolean }>('note.tell', mine?.value ?? null);
  me.io.log('info', String(told.ok));
  leave(me.id);
  send('console', 'all', { text });
  const published: string = publish('note.saved', { id }, { version: 1 });
  try {
    set('note', null);
  } catch (error) {
    if (error instanceof NeiraError && error.code === 'NEIRA_VERSION_MISMATCH') return {};
    throw error;
  }
  const actions: Action[] = [{ type: 'note.saved', id, published }];
  return { actions };
}

export function wrong(event: Envelope) {
  // @ts-expect-error a payload of unknown shape has no members
  event.payload.note;
  // @ts-expect-error an envelope is sealed
  event.id = 'other';
  // @ts-expect-error what was read may not be there
  get('note').value;
  // @ts-expect-error a function is no JSON
  set('note', () => 1);
  // @ts-expect-error a text is nothing to add
  add('count', '1');
  // @ts-expect-error options have names
  list('note/', 'note/1');
  // @ts-expect-error not an option
  list('note/', { descending: true });
  // @ts-expect-error a missing value
  set('note');
  // @ts-expect-error ids are required
  saveAnnotation({ kind: 'stroke', data: null });
  // @ts-expect-error not a level
  log('loud', 'text');
  // @ts-expect-error versions are numbers
  publish('note.saved', {}, '1');
  // @ts-expect-error refusals are made by the host
  new NeiraError();
  // @ts-expect-error not a code
  if ((event as unknown as NeiraError).code === 'NEIRA_WRONG') return;
  // @ts-expect-error an action has a type
  const reply: Reply = { actions: [{ id: 'x' }] };
  return reply;
}
`;

/** Names that a module exports by declaration or by a list. */
function exportsOf(source: string): string[] {
  const names: string[] = [];
  for (const node of parseAst(source, { lang: 'ts' }).body) {
    if (node.type !== 'ExportNamedDeclaration') continue;
    for (const { exported } of node.specifiers) {
      if (exported.type === 'Identifier') names.push(exported.name);
    }
    if (node.declaration?.type === 'VariableDeclaration') {
      for (const { id } of node.declaration.declarations) if (id.type === 'Identifier') names.push(id.name);
    }
    if (node.declaration?.type === 'FunctionDeclaration' && node.declaration.id)
      names.push(node.declaration.id.name);
  }
  return names;
}
