/** What the engines use of WebAssembly: the DOM library would declare it together with a browser that is not there. */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
  }
  namespace Module {
    function imports(module: Module): { readonly module: string; readonly name: string }[];
    function exports(module: Module): { readonly name: string }[];
  }
  class Instance {
    constructor(module: Module, imports: Imports);
    readonly exports: Record<string, unknown>;
  }
  class Memory {
    constructor(size: { initial: number; maximum: number });
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  }
  class Global<Type extends 'i32' | 'i64'> {
    constructor(type: { value: Type; mutable: boolean }, value: Type extends 'i64' ? bigint : number);
    value: Type extends 'i64' ? bigint : number;
  }
  class RuntimeError extends Error {}
  type ImportValue = Memory | Global<'i32'> | Global<'i64'> | ((...args: never[]) => unknown);
  type Imports = Record<string, Record<string, ImportValue>>;
  function validate(bytes: Uint8Array): boolean;
  let compile: (bytes: Uint8Array) => Promise<Module>;
}
