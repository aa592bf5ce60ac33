import { expect, test } from 'vitest';
import { CODE, importsOf, isTest, packageOf, targetOf } from './sources.ts';

/**
 * From left to right; those in one row are siblings. A layer imports layers of the rows above it and
 * itself, never a sibling (design, "The house").
 */
const ROWS: readonly (readonly string[])[] = [
  ['abi'],
  ['gates'],
  ['base'],
  ['store', 'sandbox', 'bus', 'ports'],
  // `turn-context.ts`, and what it is made of.
  ['context'],
  ['functions'],
  ['thread-main'],
  // `turn.ts`, the spine, and what feeds it.
  ['turns'],
  ['registry'],
  ['http'],
  // What answers the HTTP layer, from all parts below it.
  ['app'],
  ['host'],
  ['main'],
];

/** Files that lie in `host/` itself, by layer. A new one gets its line here. */
const HOST_FILES: Readonly<Record<string, string>> = {
  'config.ts': 'base',
  'errors.ts': 'base',
  'error-catalogue.ts': 'base',
  'log.ts': 'base',
  'schema.ts': 'base',
  'metrics.ts': 'base',
  'tracing.ts': 'base',
  'turn-context.ts': 'context',
  // The composition roots of the threads: nothing imports them, their addresses are handed on.
  'cell-main.ts': 'thread-main',
  'turn-session.ts': 'thread-main',
  'writer-main.ts': 'thread-main',
  'turn.ts': 'turns',
  'host.ts': 'host',
  'main.ts': 'main',
};

/** A client of the HTTP API, and what has to work with no host running: `build` is of the sandbox. */
const CLI_MAY_IMPORT = ['abi', 'gates', 'base', 'store', 'sandbox', 'bus', 'registry', 'main'];

/** Undefined for a file that is not in any layer. */
function layerOf(file: string): string | undefined {
  const [first, second] = file.split('/');
  if (first === 'abi' || first === 'gates') return first;
  if (first !== 'host') return undefined;
  if (Object.hasOwn(HOST_FILES, second!)) return HOST_FILES[second!];
  return file.split('/').length > 2 ? second : undefined;
}

function rowOf(layer: string): number {
  return ROWS.findIndex((row) => row.includes(layer));
}

function mayImport(from: string, to: string): boolean {
  if (from === to) return true;
  if (from === 'cli') return CLI_MAY_IMPORT.includes(to);
  return to !== 'cli' && rowOf(to) < rowOf(from);
}

const sources = CODE.filter((file) => !isTest(file));
/** `abi/*.ts` are tools that generate; nothing imports them, and they may look at what they generate from. */
const isTool = (file: string) => /^abi\/[^/]+\.ts$/.test(file);

test('every file of the host has its layer', () => {
  const hosts = sources.filter((file) => file.startsWith('host/'));
  const strays = hosts.filter((file) => {
    const layer = layerOf(file);
    return layer === undefined || (layer !== 'cli' && rowOf(layer) < 0);
  });
  expect(strays).toEqual([]);
});

test('a layer imports only layers to its left, never a sibling', () => {
  const wrong: string[] = [];
  for (const file of sources) {
    const from = layerOf(file);
    if (from === undefined || isTool(file)) continue;
    for (const specifier of importsOf(file).filter((each) => each.startsWith('.'))) {
      const target = targetOf(file, specifier);
      const to = layerOf(target);
      if (to === undefined || isTool(target) || !mayImport(from, to)) wrong.push(`${file} imports ${target}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('the host and the gates import neither plugins nor tests', () => {
  const trusted = CODE.filter((file) => /^(?:host|gates)\//.test(file));
  const wrong = trusted.flatMap((file) =>
    importsOf(file)
      .filter((each) => each.startsWith('.'))
      .map((each) => targetOf(file, each))
      .filter((target) => target.startsWith('plugins/') || (!isTest(file) && isTest(target)))
      .map((target) => `${file} imports ${target}`),
  );
  expect(wrong).toEqual([]);
});

// MIS-06: a plugin touches the world through host functions only, so its source names nothing else.
test('a plugin imports itself, the host functions, abi/types and packages bundled into it', () => {
  const wrong: string[] = [];
  for (const file of sources.filter((each) => each.startsWith('plugins/'))) {
    const own = `${file.split('/').slice(0, 3).join('/')}/`;
    for (const specifier of importsOf(file)) {
      if (
        /^neira:host\/(?:storage|io|bus|principals|timer|intl|types)$/.test(specifier) ||
        packageOf(specifier)
      )
        continue;
      const target = specifier.startsWith('.') ? targetOf(file, specifier) : specifier;
      if (!target.startsWith(own) && !target.startsWith('abi/types/'))
        wrong.push(`${file} imports ${target}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('a test of a plugin imports its plugin and the test kit', () => {
  const wrong: string[] = [];
  for (const file of CODE.filter((each) => each.startsWith('plugins/') && isTest(each))) {
    const own = `${file.split('/').slice(0, 3).join('/')}/`;
    for (const specifier of importsOf(file).filter((each) => each.startsWith('.'))) {
      const target = targetOf(file, specifier);
      if (![own, 'test/kit/', 'abi/types/'].some((home) => target.startsWith(home))) {
        wrong.push(`${file} imports ${target}`);
      }
    }
  }
  expect(wrong).toEqual([]);
});
