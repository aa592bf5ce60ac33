import { expect } from 'vitest';
import type { HostileBoot, HostileCase } from '../harness.ts';

const BUNDLE = 'NEIRA_BUNDLE_FAILED';
const handle = 'export function handle() {}';

/** Importing at run time what was not bundled (HOST-06). */
export const IMPORTS: readonly HostileCase[] = [
  ...[
    'node:fs',
    'fs',
    '/etc/passwd',
    'file:///etc/passwd',
    '../../secret',
    'data:text/javascript,1',
    'http://example.org/x.js',
    'neira:host/unknown',
    'neira:prelude',
    'std',
    'os',
    'bjson',
    '',
  ].map((name) => ({
    name: `import() of ${JSON.stringify(name)} at run time is refused`,
    attack: `const name = ${JSON.stringify(name)}; await import(name);`,
    expect: ['NEIRA_IMPORT_REFUSED', 'NEIRA_PLUGIN_FAILED'],
  })),
  {
    name: 'import() made by eval is refused',
    attack: 'await (0, eval)("import(\'node:fs\')");',
    expect: ['NEIRA_IMPORT_REFUSED', 'NEIRA_PLUGIN_FAILED'],
  },
  {
    name: 'import() made by new Function is refused',
    attack: 'await new Function("return import(\'node:fs\')")();',
    expect: ['NEIRA_IMPORT_REFUSED', 'NEIRA_PLUGIN_FAILED'],
  },
  {
    name: 'import() of something whose toString loops is ended',
    attack: 'const name: any = { toString() { for (;;); } }; await import(name);',
    expect: 'NEIRA_CPU_EXCEEDED',
  },
  {
    name: 'import() of a name a megabyte long is refused',
    attack: 'const name = "x".repeat(1e6); await import(name);',
    expect: ['NEIRA_IMPORT_REFUSED', 'NEIRA_PLUGIN_FAILED'],
  },
  {
    name: 'require, process, module and Deno do not exist',
    attack:
      'return { actions: [["require", "process", "module", "exports", "Deno", "Bun", "global", "window", "fetch", "setImmediate", "WebAssembly", "Worker", "std", "os", "scriptArgs", "print", "__loadScript", "gc", "host", "__neira"].filter((k) => k in globalThis)].map((found) => ({ found })) };',
    expect: 'ok',
    actions: [{ found: [] }],
  },
  {
    name: 'a source map that is named outside the folder is not read',
    top: '//# sourceMappingURL=../../../../../../../../../../dev/zero',
    attack: 'throw new Error("where");\n//# sourceMappingURL=/dev/zero\n/*# sourceMappingURL=/etc/passwd */',
    expect: 'NEIRA_PLUGIN_FAILED',
    check: ({ answer }) => expect(answer.body).toMatchObject({ file: 'main.ts', line: 4 }),
  },
  {
    name: 'a host module imported at run time is the same as the bundled one',
    attack:
      'const name = "neira:host/storage"; const m: any = await import(name); return { actions: [{ keys: Object.keys(m).length > 3 }] };',
    expect: 'ok',
    actions: [{ keys: true }],
  },
];

/** Importing at build time what lies outside the plugin's folder (HOST-06, HOST-25). */
export const BAD_IMPORTS: readonly HostileBoot[] = [
  ...[
    'node:fs',
    'fs',
    'node:child_process',
    '/etc/passwd',
    '/etc/hostname',
    '../../../../../../etc/passwd',
    './../other/main.ts',
    'file:///etc/passwd',
    'data:text/javascript,export default 1',
    'http://example.org/x.js',
    'https://example.org/x.js',
    'neira:host/unknown',
    'neira:host/storage/../io',
    'no-such-package',
    'fastify',
    'esbuild',
    '#internal',
    './missing.ts',
  ].map((name) => ({
    name: `an import of ${JSON.stringify(name)} does not build`,
    source: `import * as x from ${JSON.stringify(name)}; ${handle} console.log(x);`,
    code: BUNDLE,
    details: { file: 'main.ts', line: 1 },
  })),
  {
    name: 'a require of a built-in does not build',
    source: `const fs = require('fs'); ${handle}`,
    code: BUNDLE,
  },
  {
    name: 'import() of a built-in does not build',
    source: `${handle} export const later = () => import('node:fs');`,
    code: BUNDLE,
  },
  {
    name: 'an export from a built-in does not build',
    source: `export * from 'node:fs'; ${handle}`,
    code: BUNDLE,
  },
  {
    name: 'an import with a loader of a file outside does not build',
    source: `import text from '/etc/passwd' with { type: 'text' }; ${handle} console.log(text);`,
    code: BUNDLE,
  },
  {
    name: 'a package in node_modules that points outside does not build',
    source: {
      'main.ts': `import x from 'evil'; ${handle} console.log(x);`,
      'node_modules/evil/package.json': '{"name":"evil","main":"../../../../../../../etc/passwd"}',
    },
    code: BUNDLE,
  },
  {
    name: 'a tsconfig that maps paths outside is ignored',
    source: {
      'main.ts': `import x from 'mapped'; ${handle} console.log(x);`,
      'tsconfig.json': '{"compilerOptions":{"baseUrl":"/","paths":{"mapped":["etc/passwd"]}}}',
    },
    code: BUNDLE,
  },
  {
    name: 'source that is no TypeScript does not build',
    source: 'this is not a program',
    code: BUNDLE,
    details: { file: 'main.ts', line: 1 },
  },
  {
    name: 'source nested more deeply than the engine reads does not boot',
    source: `export const x = ${'['.repeat(20_000)}1${']'.repeat(20_000)}; ${handle}`,
    code: 'NEIRA_BOOT_FAILED',
  },
  {
    name: 'source nested so deeply that the bundler dies of it does not build, and the next one does',
    source: `export const x = ${'['.repeat(3_000_000)}1; ${handle}`,
    code: BUNDLE,
    reason: /bundler/,
  },
  {
    name: 'a plugin after that one is told its own mistakes',
    source: 'export const x = ;',
    code: BUNDLE,
    reason: /Unexpected/,
  },
];
