/** Components for tests, made on the spot. */
import { compileFunction } from 'node:vm';
import { componentEmbed, componentNew, parse } from '@bytecodealliance/jco-transpile/wasm-tools';
import type { BuiltComponent } from '../built-component.ts';
import { type BuildOptions, buildComponent } from './build-component.ts';
import { hostWorld } from './host-world.ts';

export const LIMITS: BuildOptions = { maxMemoryBytes: 64 * 1024 * 1024 };

export type Handle = (input: string) => Promise<string>;

export interface Instance {
  readonly handle: Handle;
  readonly prepare?: () => void;
}

/** A component of a world that is given as WIT within our package; its functions are there and trap. */
export async function componentOfWorld(worldBody: string): Promise<Uint8Array> {
  const witSource = `${hostWorld().wit}\nworld tested {\n${worldBody}\n}\n`;
  return componentNew(await componentEmbed({ dummy: true, witSource, world: 'tested' }), []);
}

export async function componentOfText(text: string): Promise<Uint8Array> {
  return parse(text);
}

export interface HandleText {
  /** Stands before everything else in the component. */
  readonly before?: string;
  /** Further fields of the core module; it has a memory `mem`. */
  readonly fields?: string;
  /** Arguments of the core instance. */
  readonly withs?: string;
  /** What `handle` does before it answers. */
  readonly first?: string;
  readonly coreName?: string;
  readonly param?: string;
  readonly result?: string;
}

/** A component whose `handle` answers `ok` with the text that it was given. */
export function echoText({
  before = '',
  fields = '',
  withs = '',
  first = '',
  coreName = 'handle',
  param = '"input-json" string',
  result = '(result string (error string))',
}: HandleText = {}): string {
  const escaped = [...Buffer.from(coreName)]
    .map((byte) => `\\${byte.toString(16).padStart(2, '0')}`)
    .join('');
  return `(component
    ${before}
    (core module $m
      ${fields}
      (memory (export "mem") 1)
      (global $top (mut i32) (i32.const 1024))
      (func (export "realloc") (param i32 i32 i32 i32) (result i32)
        (global.set $top (i32.add (global.get $top) (local.get 3)))
        (i32.sub (global.get $top) (local.get 3)))
      (func (export "${escaped}") (param i32 i32) (result i32)
        ${first}
        (i32.store8 (i32.const 16) (i32.const 0))
        (i32.store (i32.const 20) (local.get 0))
        (i32.store (i32.const 24) (local.get 1))
        (i32.const 16)))
    (core instance $i (instantiate $m ${withs}))
    (func $h (param ${param}) (result ${result})
      (canon lift (core func $i "${escaped}") (memory (core memory $i "mem")) (realloc (core func $i "realloc"))))
    (export "handle" (func $h)))`;
}

/** The code of what was thrown; the test fails for anything that is no error of the catalogue. */
export async function refusalOf(
  bytes: Uint8Array,
  options: Partial<BuildOptions> = {},
): Promise<{ code: string; message: string; details: Record<string, unknown> }> {
  try {
    await buildComponent(bytes, { ...LIMITS, ...options });
  } catch (error) {
    const { code, message, details } = error as {
      code: string;
      message: string;
      details: Record<string, unknown>;
    };
    return { code, message, details };
  }
  throw new Error('it was not refused');
}

/** Runs what was built as a cell would: the glue from its text, the modules, and a full tank. */
export function instanceOf(built: BuiltComponent, imports: Record<string, unknown> = {}): Instance {
  const exports: { instantiate?: (...given: unknown[]) => Instance } = {};
  compileFunction(built.glue, ['exports'])(exports);
  const modules = new Map(
    Object.entries(built.modules).map(([name, base64]) => [
      name,
      new WebAssembly.Module(Buffer.from(base64, 'base64')),
    ]),
  );
  const fuel = new WebAssembly.Global({ value: 'i64', mutable: true }, 10_000_000_000n);
  return exports.instantiate!(
    (name: string) => modules.get(name),
    imports,
    (module: WebAssembly.Module, given: Record<string, never> = {}) =>
      new WebAssembly.Instance(module, { ...given, neira: { fuel } }),
  );
}
