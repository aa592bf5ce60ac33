/**
 * Core modules out of C, Rust and AssemblyScript, with the compilers that the author has. They run with flags that
 * leave nothing of the machine in the module, and with a small stack and memory: an instance is made for every turn.
 */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { NeiraError } from '../../errors.ts';
import type { CoreGuest } from './compose.ts';

const run = promisify(execFile);
const require = createRequire(import.meta.url);
/** `neira.h` and `neira.rs`, generated from the WIT. */
const TYPES = path.resolve(import.meta.dirname, '../../../abi/types');
const STACK_BYTES = 65_536;
const MAX_COMPILE_MS = 120_000;

export type Compiled = 'c' | 'rust' | 'assemblyscript';

/** What to install where a compiler is missing. */
const INSTALL: Readonly<Record<Compiled, string>> = {
  c: 'install clang, lld and a libc for it: `apt install clang lld wasi-libc libclang-rt-dev-wasm32`',
  rust: 'install rustc with its library for wasm32-unknown-unknown: `apt install rustc libstd-rust-dev-wasm32`, or name the compiler in the variable RUSTC',
  assemblyscript: 'install it in the plugin or above it: `npm install --save-dev assemblyscript`',
};

/** @throws NEIRA_BUILD_FAILED with what to install, or with what the compiler says */
export async function buildCoreGuest(language: Compiled, folder: string, source: string): Promise<CoreGuest> {
  const scratch = await mkdtemp(path.join(tmpdir(), 'neira-core-'));
  try {
    const output = path.join(scratch, 'core.wasm');
    if (language === 'c') await compileC(folder, source, output);
    else if (language === 'rust') await compileRust(folder, source, scratch, output);
    else await compileAssemblyScript(folder, source, output);
    const module = await readFile(output);
    requireNoWasi(module);
    const exported = WebAssembly.Module.exports(new WebAssembly.Module(module)).map(({ name }) => name);
    return {
      module,
      world: exported.includes('prepare') ? 'prepared-plugin' : 'plugin',
      encoding: language === 'assemblyscript' ? 'utf16' : 'utf8',
    };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function compileC(folder: string, source: string, output: string): Promise<void> {
  const command = process.env['CLANG'] ?? 'clang';
  await compile('c', folder, command, [
    '--target=wasm32-wasi',
    '-mexec-model=reactor',
    '-nostartfiles',
    '-std=c11',
    '-O2',
    '-Wall',
    `-I${TYPES}`,
    `-Wl,--no-entry,--strip-all,-z,stack-size=${STACK_BYTES}`,
    source,
    '-o',
    output,
  ]);
}

async function compileRust(folder: string, source: string, scratch: string, output: string): Promise<void> {
  const command = process.env['RUSTC'] ?? 'rustc';
  const common = ['--target=wasm32-unknown-unknown', '--edition=2021', '-Copt-level=s', '-Cpanic=abort'];
  const library = path.join(scratch, 'libneira.rlib');
  const kept = (from: string, name: string) => `--remap-path-prefix=${from}=${name}`;
  await compile('rust', TYPES, command, [
    ...common,
    '--crate-type=rlib',
    kept(TYPES, 'abi'),
    'neira.rs',
    '-o',
    library,
  ]);
  await compile('rust', folder, command, [
    ...common,
    '--crate-type=cdylib',
    `--extern=neira=${library}`,
    kept(folder, 'plugin'),
    '-Clto',
    '-Cstrip=symbols',
    `-Clink-arg=-zstack-size=${STACK_BYTES}`,
    source,
    '-o',
    output,
  ]);
}

/**
 * The compiler reads files that end in `.ts` and no others, which our plugins keep for TypeScript. So it gets a copy
 * under such names, and what it says is told by the names that the author knows.
 */
async function compileAssemblyScript(folder: string, source: string, output: string): Promise<void> {
  const asc = assemblyScriptCompiler(folder);
  const sources = path.join(path.dirname(output), 'sources');
  const inside = { recursive: true, withFileTypes: true } as const;
  for (const file of await readdir(folder, inside)) {
    const name = path.relative(folder, path.join(file.parentPath, file.name));
    if (!file.isFile() || !name.endsWith('.as') || name.startsWith('node_modules')) continue;
    const copy = path.join(sources, asTypeScript(name));
    await mkdir(path.dirname(copy), { recursive: true });
    await copyFile(path.join(folder, name), copy);
  }
  await compile('assemblyscript', sources, process.execPath, [
    asc,
    asTypeScript(source),
    `--path=${path.join(folder, 'node_modules')}`,
    '--runtime=minimal',
    '--use=abort=',
    '-Osize',
    '--noAssert',
    '--noColors',
    `--outFile=${output}`,
  ]);
}

const asTypeScript = (name: string) => name.replace(/\.as$/, '.ts');

/** Where the author has it, else where we have. */
function assemblyScriptCompiler(folder: string): string {
  for (const from of [createRequire(path.join(folder, 'main.as')), require]) {
    try {
      return path.join(path.dirname(from.resolve('assemblyscript/package.json')), 'bin/asc.js');
    } catch {
      // Not in the folders above this one.
    }
  }
  throw missing('assemblyscript');
}

async function compile(
  language: Compiled,
  cwd: string,
  command: string,
  args: readonly string[],
): Promise<void> {
  try {
    await run(command, args, { cwd, timeout: MAX_COMPILE_MS });
  } catch (error) {
    const { code, stderr = '', message } = error as { code?: unknown; stderr?: string; message: string };
    if (code === 'ENOENT' || LIBRARY_MISSING.test(stderr)) throw missing(language);
    const said = stderr.trim() || message;
    const reason = language === 'assemblyscript' ? said.replace(/(?<=[\w-])\.ts\b/g, '.as') : said;
    throw new NeiraError('NEIRA_BUILD_FAILED', { what: `the compiler refuses it`, reason });
  }
}

/** The compiler is there, and what it needs for WebAssembly is not. */
const LIBRARY_MISSING =
  /can't find crate for `(?:core|std)`|unable to find library -lc\b|'[\w.]+\.h' file not found|wasm-ld.*(?:not found|No such file)|libclang_rt/;

function missing(language: Compiled): NeiraError {
  const reason = INSTALL[language];
  return new NeiraError('NEIRA_BUILD_FAILED', { what: `there is no compiler for ${language} here`, reason });
}

/** The old interface of files and streams, which a component has not. */
function requireNoWasi(bytes: Uint8Array): void {
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(bytes));
  const calls = imports.filter(({ module }) => module.startsWith('wasi_')).map(({ name }) => name);
  if (calls.length === 0) return;
  throw new NeiraError('NEIRA_BUILD_FAILED', {
    what: 'it uses what a sandbox has not',
    reason: `${calls.join(', ')} of WASI; do without printf and other streams, files, clocks and exit, and log with the host functions`,
  });
}
