/** Components for tests, assembled from the text of one core module. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { componentEmbed, componentNew, parse } from '@bytecodealliance/jco-transpile/wasm-tools';

const WIT = path.resolve(import.meta.dirname, '../../abi/wit/v1');

export interface ModuleText {
  /** What stands before everything else: imports of functions. */
  readonly imports?: string;
  /** Of `handle`, given `$p` and `$n`, address and length of the envelope: leaves the address of the result. Without it the envelope is answered. */
  readonly handle?: string;
  /** Further definitions. */
  readonly more?: string;
  /** Pages at first, and at most. */
  readonly memory?: string;
  readonly world?: 'plugin' | 'prepared-plugin';
}

/** Leaves `{"actions":[…]}` where the result of `handle` points to. The text must be short, without quotes of its own. */
const ECHO = '(call $ok (local.get $p) (local.get $n))';

/** A module that allocates by counting up, and answers what `handle` says. */
export function moduleText({
  imports = '',
  handle = ECHO,
  more = '',
  memory = '2',
}: ModuleText = {}): string {
  return `(module
  ${imports}
  (memory (export "memory") ${memory})
  (global $top (mut i32) (i32.const 4096))
  (func $alloc (export "cabi_realloc") (param $p i32) (param $old i32) (param $align i32) (param $new i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
    (global.set $top (i32.add (local.get $at) (local.get $new)))
    (block $enough (loop $grow
      (br_if $enough (i32.le_u (global.get $top) (i32.mul (memory.size) (i32.const 65536))))
      (br_if $grow (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))
      unreachable))
    (memory.copy (local.get $at) (local.get $p) (local.get $old))
    (local.get $at))
  (func $ok (param $p i32) (param $n i32) (result i32)
    (i32.store8 (i32.const 16) (i32.const 0))
    (i32.store (i32.const 20) (local.get $p))
    (i32.store (i32.const 24) (local.get $n))
    (i32.const 16))
  (func $err (param $p i32) (param $n i32) (result i32)
    (i32.store8 (i32.const 16) (i32.const 1))
    (i32.store (i32.const 20) (local.get $p))
    (i32.store (i32.const 24) (local.get $n))
    (i32.const 16))
  ${more}
  (func (export "handle") (param $p i32) (param $n i32) (result i32) ${handle}))`;
}

/** A module that fits our world, from the text of all of it. */
export async function componentOfText(
  text: string,
  world: NonNullable<ModuleText['world']> = 'plugin',
): Promise<Uint8Array> {
  const binary = await parse(text);
  return componentNew(await componentEmbed({ binary, witSource: witSource(), world }), []);
}

export function componentOf(module: ModuleText = {}): Promise<Uint8Array> {
  return componentOfText(moduleText(module), module.world);
}

/** All of our WIT as one text. */
export function witSource(): string {
  const texts = readdirSync(WIT)
    .filter((name) => name.endsWith('.wit'))
    .sort()
    .map((name) => readFileSync(path.join(WIT, name), 'utf8'));
  return texts.map((text, at) => (at === 0 ? text : text.replace(/^package .*$/m, ''))).join('\n');
}
