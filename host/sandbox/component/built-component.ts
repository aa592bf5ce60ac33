/** A component as registration leaves it and a cell runs it, in one text: the code of its version. */

export interface BuiltComponent {
  /**
   * Body of a CommonJS module: sets `exports.instantiate(getCoreModule, imports, instantiateCore)`. Where it waits
   * (see {@link ComponentFacts.waits}), `handle` of the instance answers a promise, and so do the functions of
   * `imports` that wait; else all are plain functions.
   */
  readonly glue: string;
  /** Metered core modules in Base64, by the name that the glue asks for. */
  readonly modules: Readonly<Record<string, string>>;
  readonly facts: ComponentFacts;
}

export interface ComponentFacts {
  /** Interfaces that the glue asks for, as keys of `imports`: `neira:host/storage`, `wasi:clocks/wall-clock`. */
  readonly imports: readonly string[];
  /** Functions that the instance has: `handle`, and `prepare` where the plugin exports it. */
  readonly exports: readonly string[];
  readonly prepares: boolean;
  /** It imports a function that waits. Absent in what older hosts built, whose `handle` always answers a promise. */
  readonly waits?: boolean;
  /** No module does what putting its memory and globals back would not undo. */
  readonly resettable: boolean;
  readonly coreModules: number;
  readonly coreInstances: number;
  /** Of the component as it came. */
  readonly bytes: number;
}

/** No module of JavaScript begins like this. */
const HEAD = '{"component":';

export function packComponent(component: BuiltComponent): string {
  return JSON.stringify({ component });
}

export function isComponent(code: string): boolean {
  return code.startsWith(HEAD);
}

export function unpackComponent(code: string): BuiltComponent {
  return (JSON.parse(code) as { component: BuiltComponent }).component;
}
