/**
 * Turns the author's TypeScript into the one module that a guest evaluates, with a source map.
 *
 * Resolution stays inside the plugin's real folder and the packages that it names: a path that leaves them, also
 * through a symlink, does not resolve; the plugin's tsconfig is ignored; nothing is written to disk and no plugin of the bundler
 * but ours runs. esbuild works in a process of its own, so hostile source cannot take the host down; where
 * it takes esbuild down, or keeps it busy for too long, the next build gets a new one.
 */
import { readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { type BuildFailure, type BuildOptions, build, type Message, type Plugin, stop } from 'esbuild';
import { NeiraError } from '../../errors.ts';

/** The oldest syntax that QuickJS understands entirely. */
const TARGET = 'es2023';
const MAX_BUNDLE_BYTES = 4 * 1024 * 1024;
const MAX_BUILD_MS = 10_000;
/**
 * A source may name a source map of its own, and esbuild reads that file wherever it lies, past every rule
 * below – `/dev/zero` too, to no end. The comment is spoilt in place, so that columns stay; maps that are
 * part of the source stay as well.
 */
const FOREIGN_MAP = /(\/[/*][#@]\s*)sourceMappingURL=(?!data:)/g;
const HOST_MODULES = /^neira:host\/(storage|io|bus|principals|timer|intl|types)$/;

export interface Bundle {
  readonly code: string;
  /** Source map as JSON; its sources are relative to the plugin's folder. */
  readonly map: string;
  /** Files that went into it, relative to the folder. */
  readonly inputs: readonly string[];
  /** Names that the entry exports. */
  readonly exports: readonly string[];
}

/**
 * @param packages real folders outside of it that it may import from: packages that it names
 * @throws NEIRA_BUNDLE_FAILED with `file`, `line` and `column` of the first error.
 */
export async function bundlePlugin(
  folder: string,
  entry: string,
  packages: readonly string[] = [],
): Promise<Bundle> {
  const root = realpathSync(folder);
  try {
    const result = await buildAlone({
      absWorkingDir: root,
      entryPoints: [path.join(root, entry)],
      outfile: 'plugin.js',
      bundle: true,
      format: 'esm',
      target: TARGET,
      platform: 'neutral',
      mainFields: ['module', 'main'],
      conditions: ['import', 'default'],
      sourcemap: 'external',
      sourcesContent: true,
      tsconfigRaw: { compilerOptions: { target: TARGET } },
      charset: 'utf8',
      logLevel: 'silent',
      legalComments: 'none',
      plugins: [insideOnly([root, ...packages])],
    });
    const output = (suffix: string) =>
      result.outputFiles.find((file) => file.path.endsWith(suffix))?.text ?? '';
    const code = output('.js');
    if (code.length > MAX_BUNDLE_BYTES) {
      throw new NeiraError('NEIRA_BUNDLE_FAILED', {
        reason: `the bundle is larger than ${MAX_BUNDLE_BYTES} bytes`,
      });
    }
    const exports = Object.values(result.metafile.outputs).flatMap((each) => each.exports);
    return { code, map: output('.map'), inputs: Object.keys(result.metafile.inputs), exports };
  } catch (error) {
    throw asNeiraError(error, root);
  }
}

/** Bundles a file of the host's own guest code (prelude, host modules). */
export async function bundleGuest(file: string, format: 'iife' | 'esm'): Promise<string> {
  const result = await build({
    entryPoints: [file],
    bundle: true,
    write: false,
    format,
    target: TARGET,
    minify: true,
    define: { global: 'globalThis' },
    legalComments: 'none',
    logLevel: 'silent',
  });
  return result.outputFiles[0]!.text;
}

/**
 * Glue that jco generated, as the body of a CommonJS module that sets `exports.instantiate`: small, strict, and
 * without what it prints for those who debug jco.
 * @throws NEIRA_BUNDLE_FAILED
 */
export async function bundleGlue(source: string): Promise<string> {
  try {
    const result = await buildAlone({
      stdin: { contents: source, loader: 'js' },
      bundle: true,
      format: 'iife',
      globalName: 'glue',
      banner: { js: "'use strict';" },
      footer: { js: 'exports.instantiate=glue.instantiate;' },
      target: 'esnext',
      platform: 'neutral',
      minify: true,
      drop: ['console', 'debugger'],
      pure: ['_debugLog'],
      charset: 'utf8',
      legalComments: 'none',
      logLevel: 'silent',
      plugins: [nothingElse],
    });
    return result.outputFiles[0]!.text;
  } catch (error) {
    throw asNeiraError(error, '.');
  }
}

/** Glue stands alone: an import in it would be one that nobody has looked at. */
const nothingElse: Plugin = {
  name: 'nothing-else',
  setup({ onResolve }) {
    onResolve({ filter: /.*/ }, ({ path: name }) => ({ errors: [{ text: `glue imports "${name}"` }] }));
  },
};

/** As an expression: the function that installs it. What it is given it knows as `neira`. */
export async function bundlePolyfill(file: string): Promise<string> {
  return `(function(neira){${await bundleGuest(file, 'iife')}})`;
}

function insideOnly(roots: readonly string[]): Plugin {
  const inside = (file: string) => roots.some((root) => file === root || file.startsWith(root + path.sep));
  return {
    name: 'inside-only',
    setup({ onResolve, onLoad, resolve }) {
      onResolve({ filter: HOST_MODULES }, ({ path: name }) => ({ path: name, external: true }));
      onResolve({ filter: /.*/ }, async (args) => {
        if (args.pluginData === RESOLVING) return undefined;
        const found = await resolve(args.path, {
          importer: args.importer,
          namespace: args.namespace,
          resolveDir: args.resolveDir,
          kind: args.kind,
          pluginData: RESOLVING,
        });
        if (found.errors.length > 0) return { errors: found.errors };
        if (found.external || found.namespace !== 'file') return { errors: [{ text: refusal(args.path) }] };
        const real = realpathSync(found.path);
        return inside(real)
          ? { path: real, sideEffects: found.sideEffects }
          : { errors: [{ text: refusal(args.path) }] };
      });
      onLoad({ filter: /.*/ }, (args) => {
        // The bundler may only read what was resolved by the rule above.
        if (!inside(args.path)) return { errors: [{ text: refusal(args.path) }] };
        if (!MAY_NAME_A_MAP.test(args.path)) return undefined;
        const source = readFileSync(args.path, 'utf8');
        return { contents: source.replace(FOREIGN_MAP, '$1sourceMappingUrl='), loader: 'default' };
      });
    },
  };
}

const RESOLVING = Symbol('resolving');
const MAY_NAME_A_MAP = /\.(?:[cm]?[jt]s|[jt]sx|css)$/;

let lastBuild: Promise<unknown> = Promise.resolve();

/** One build at a time: when the bundler dies, it is known of what. */
function buildAlone(options: BuildOptions) {
  const built = lastBuild.then(() => buildNow(options));
  lastBuild = built.catch(() => {});
  return built;
}

async function buildNow(options: BuildOptions) {
  const timer = setTimeout(() => void stop(), MAX_BUILD_MS);
  try {
    return await build({ ...options, write: false, metafile: true });
  } catch (error) {
    if (Array.isArray((error as Partial<BuildFailure>).errors)) throw error;
    // The process is gone, and esbuild starts no other by itself.
    await stop();
    const reason = `the bundler could not cope with it within ${MAX_BUILD_MS} ms: it is too large or nested too deeply`;
    throw new NeiraError('NEIRA_BUNDLE_FAILED', { reason });
  } finally {
    clearTimeout(timer);
  }
}

function refusal(name: string): string {
  return `"${name}" lies outside the plugin's folder or is not bundled with it`;
}

function asNeiraError(error: unknown, root: string): unknown {
  const first = (error as BuildFailure).errors?.[0] as Message | undefined;
  if (!first) return error;
  return new NeiraError('NEIRA_BUNDLE_FAILED', {
    reason: first.text,
    ...(first.location && {
      file: path.relative(root, path.resolve(root, first.location.file)),
      line: first.location.line,
      column: first.location.column + 1,
      text: first.location.lineText.slice(0, 200),
    }),
  });
}
