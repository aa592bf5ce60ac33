/**
 * A component out of a script plugin's own source.
 *
 * The source is bundled as for a script (quickjs/bundle.ts). Around it comes what a script finds in its sandbox: the
 * prelude, the modules `neira:host/*`, the polyfills that it names – all of them those of scripts, over the imports of
 * a component instead of the host's one function (guest/). The whole is one module, which the engine runs up to the
 * end of its top-level code; the memory that this leaves is the component.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { build, type Plugin } from 'esbuild';
import { NeiraError } from '../../errors.ts';
import { type Bundle, bundlePlugin } from '../quickjs/bundle.ts';
import { type GuestCode, guestCode } from '../quickjs/guest-code.ts';
import { aroundScript } from './compose.ts';
import { stillRuntime } from './runtime.ts';
import { scriptWit, type World } from './worlds.ts';

const MAIN = path.join(import.meta.dirname, 'guest/main.ts');

const IMPORTED = /@1\.0\.0$/;

/**
 * `packages` are folders that it may import from beside its own.
 *
 * The bytes depend on the source, the packages and nothing of the machine: two builds are equal.
 * @throws NEIRA_BUNDLE_FAILED, NEIRA_NO_HANDLER, NEIRA_BUILD_FAILED
 */
export async function buildScriptComponent(
  folder: string,
  plugin: string,
  entry: string,
  packages: readonly string[] = [],
): Promise<Uint8Array> {
  const bundle = await bundlePlugin(folder, entry, packages);
  if (!bundle.exports.includes('handle')) throw new NeiraError('NEIRA_NO_HANDLER', { plugin });
  const world: World = bundle.exports.includes('prepare') ? 'prepared-plugin' : 'plugin';
  const source = await wholeScript(bundle, await guestCode());
  return aroundScript(await runToItsEnd(source, world), world);
}

/** One module of the bundle and all that it stands on. */
async function wholeScript(bundle: Bundle, guest: GuestCode): Promise<string> {
  const words = new Int32Array(createHash('sha256').update(bundle.code).digest().buffer.slice(0, 16));
  const built = await build({
    entryPoints: [MAIN],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2023',
    // The engine runs no promise jobs before it answers: see guest/environment.ts.
    minifyWhitespace: true,
    supported: {
      'async-await': false,
      'async-generator': false,
      'for-await': false,
      'top-level-await': false,
    },
    define: { NEIRA_SEED: `[${words.join()}]`, global: 'globalThis' },
    charset: 'utf8',
    legalComments: 'none',
    logLevel: 'silent',
    plugins: [parts(bundle, guest)],
  });
  return built.outputFiles[0]!.text;
}

/** What stands behind the names in guest/ambient.d.ts. */
function parts(bundle: Bundle, guest: GuestCode): Plugin {
  const modules = new Map(guest.modules.map(({ name, code }) => [name, code]));
  const used = [...modules.keys()].filter((name) => bundle.code.includes(name));
  const texts = new Map([
    ...modules,
    ['neira:prelude', `export function runs() {${guest.prelude}}`],
    ['neira:modules', [...used.map((name) => `import '${name}';`), ...polyfillsIn(bundle, guest)].join('\n')],
    ['neira:plugin', bundle.code],
  ]);
  return {
    name: 'parts',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: IMPORTED }, ({ path: name }) => ({ path: name, external: true }));
      onResolve({ filter: /^neira:/ }, ({ path: name }) =>
        texts.has(name)
          ? { path: name, namespace: 'neira', sideEffects: true }
          : { errors: [{ text: `there is no module ${name}` }] },
      );
      onLoad({ filter: /.*/, namespace: 'neira' }, ({ path: name }) => ({
        contents: texts.get(name)!,
        loader: 'js',
        resolveDir: import.meta.dirname,
      }));
    },
  };
}

/** Installs those whose globals or methods the code names, or another one of them does, as the host does for a script's image. */
function polyfillsIn({ code }: Bundle, { polyfills }: GuestCode): string[] {
  const texts = [code];
  let rest = polyfills;
  for (const text of texts) {
    const isNamed = ({ globals, methods }: (typeof polyfills)[number]) =>
      [...globals, ...methods].some((name) => new RegExp(`\\b${name}\\b`).test(text));
    texts.push(...rest.filter(isNamed).map((each) => each.code));
    rest = rest.filter((each) => !isNamed(each));
  }
  const named = polyfills.filter((each) => !rest.includes(each));
  if (named.length === 0) return [];
  return [
    `import { prelude } from './guest/prelude.ts';`,
    ...named.map(({ globals, code: polyfill }) => {
      const deleted = globals.map((name) => `delete globalThis.${name};`).join(' ');
      return `${deleted} prelude.install(${polyfill});`;
    }),
  ];
}

/** Runs top-level code, and answers the component that the engine makes of the memory after it. */
async function runToItsEnd(source: string, world: World): Promise<Uint8Array> {
  const { componentize } = await import('componentize-qjs');
  const runtimeBytes = await stillRuntime();
  const scratch = await mkdtemp(path.join(tmpdir(), 'neira-build-'));
  try {
    const witPath = path.join(scratch, 'script.wit');
    await writeFile(witPath, scriptWit(world));
    const made = await componentize({
      witPath,
      world: 'script',
      jsSource: source,
      runtimeBytes,
      stubWasi: true,
    });
    return made.component;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new NeiraError('NEIRA_BUILD_FAILED', { what: 'its top-level code', reason });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
