/** The same guest for every side: it answers what it is given. */
import { parse } from '@bytecodealliance/jco-transpile/wasm-tools';
import { componentOf } from '../kit/component.ts';

/** A component of one small core module, as a C compiler would make it. */
export function echoComponent(): Promise<Uint8Array> {
  return componentOf();
}

/** The same for Extism, whose kernel holds input and output: there is nothing to copy. */
export function echoForExtism(): Promise<Uint8Array> {
  return parse(`(module
    (import "extism:host/env" "input_offset" (func $offset (result i64)))
    (import "extism:host/env" "input_length" (func $length (result i64)))
    (import "extism:host/env" "output_set" (func $set (param i64 i64)))
    (memory (export "memory") 1)
    (func (export "echo") (result i32)
      (call $set (call $offset) (call $length))
      (i32.const 0)))`);
}
