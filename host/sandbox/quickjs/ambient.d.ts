/**
 * What the engine uses of platform and packages that ship no types for it. The DOM library would declare
 * WebAssembly too, together with a browser that is not there.
 */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Instance {
    constructor(module: Module, imports: Record<string, Record<string, ImportValue>>);
    readonly exports: Record<string, unknown>;
  }
  class Memory {
    constructor(size: { initial: number; maximum: number });
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  }
  class Global<Type extends string> {
    constructor(type: { value: Type; mutable: boolean }, value: Type extends 'i64' ? bigint : number);
    value: Type extends 'i64' ? bigint : number;
  }
  class RuntimeError extends Error {}
  function validate(bytes: Uint8Array): boolean;
  type ImportValue = Memory | Global<string> | Global<'i64'> | ((...args: never[]) => unknown);
}

interface Buffer {
  utf8Write(text: string, offset: number, length: number): number;
  utf8Slice(start: number, end: number): string;
  latin1Write(text: string, offset: number): number;
  latin1Slice(start: number, end: number): string;
  ucs2Write(text: string, offset: number): number;
  ucs2Slice(start: number, end: number): string;
}

declare module '@ungap/structured-clone' {
  export default function structuredClone(value: unknown): unknown;
}
declare module 'core-js/stable/url' {}
declare module 'core-js/stable/url-search-params' {}
