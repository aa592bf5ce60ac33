/**
 * The QuickJS that is put into components: the smaller runtime of componentize-qjs without its async ABI, taken out
 * of the package's own binary and made still.
 *
 * The package runs a plugin's top-level code when it builds, with the clock and the entropy of the machine, and keeps
 * the memory that this leaves. So two builds of one source would differ, and every turn would begin with one seed that
 * somebody's machine drew. Here the runtime asks nobody: its clocks stand and its seeds are zero. What code sees of
 * time and chance comes from the turn (guest/environment.ts).
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { parse, print } from '@bytecodealliance/jco-transpile/wasm-tools';

const require = createRequire(import.meta.url);
const CORE_MODULE = Buffer.from('0061736d01000000', 'hex');
const MAGIC = CORE_MODULE.subarray(0, 4);
/** Only the runtime exports this, and only the one without the async ABI never waits for several things. */
const MARK = 'wit_dylib_export_call';
const OF_ASYNC = '[waitable-set-new]';
const LAST_SECTION = 13;

/** Imports that tell of the machine, and what stands in their place. */
const ASKED: readonly { readonly import: string; readonly instead: string }[] = [
  { import: '"wasi:random/insecure-seed@0.2.9" "insecure-seed"', instead: 'call $still' },
  { import: '"wasi:clocks/wall-clock@0.2.0" "now"', instead: 'call $still' },
  { import: '"wasi:clocks/monotonic-clock@0.2.0" "now"', instead: 'i64.const 0' },
];
/** Both answers are two words that the caller finds where it says. */
const STILL =
  '(func $still (param i32) local.get 0 i64.const 0 i64.store local.get 0 i64.const 0 i64.store offset=8)';

let made: Promise<Buffer> | undefined;

/** Made once a process, in about a second. @throws Error when the pinned package is not the one this was written for */
export function stillRuntime(): Promise<Buffer> {
  // Loaded when something is first built: nothing else needs it.
  made ??= import('componentize-qjs').then(async () => {
    const binary = Object.keys(require.cache).find((file) => /componentize-qjs[^/\\]*\.node$/.test(file));
    if (binary === undefined) throw new Error('componentize-qjs was loaded without a binary');
    const text = await print(smallestRuntime(readFileSync(binary)));
    return Buffer.from(await parse(makeStill(text)));
  });
  return made;
}

/** The binary carries several runtimes side by side, as they are. */
function smallestRuntime(binary: Buffer): Buffer {
  const found = [...modulesIn(binary)].filter(
    (module) => module.includes(MARK) && !module.includes(OF_ASYNC),
  );
  const [smallest] = found.sort((a, b) => a.length - b.length);
  if (smallest === undefined) throw new Error('componentize-qjs carries no runtime that is known here');
  return smallest;
}

function* modulesIn(binary: Buffer): Generator<Buffer> {
  for (let at = binary.indexOf(CORE_MODULE); at >= 0; at = binary.indexOf(CORE_MODULE, at + 8)) {
    yield binary.subarray(at, endOfModule(binary, at));
  }
}

/** Behind its last section, where something begins that cannot be one. */
function endOfModule(binary: Buffer, start: number): number {
  let at = start + CORE_MODULE.length;
  while (binary[at]! <= LAST_SECTION && !binary.subarray(at, at + 4).equals(MAGIC)) {
    let length = 0;
    let shift = 0;
    let next = at + 1;
    for (let byte = 0x80; byte & 0x80 && shift < 35; shift += 7) {
      byte = binary[next++]!;
      length += (byte & 0x7f) * 2 ** shift;
    }
    if (length === 0 || next + length > binary.length) break;
    at = next + length;
  }
  return at;
}

function makeStill(text: string): string {
  let out = text;
  for (const { import: name, instead } of ASKED) {
    const index = new RegExp(
      `^\\s*\\(import ${name.replaceAll('.', '\\.')} \\(func \\(;(\\d+);\\)`,
      'm',
    ).exec(text);
    const call = new RegExp(`^(\\s+)call ${index?.[1]}$`, 'gm');
    if (index === null || !call.test(out))
      throw new Error(`the runtime of componentize-qjs does not ask ${name}`);
    out = out.replace(call, `$1${instead}`);
  }
  return out.replace(/\)\s*$/, `${STILL})`);
}
