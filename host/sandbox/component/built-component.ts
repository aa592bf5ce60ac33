/** A component as registration leaves it and a cell runs it, in one text: the code of its version. */

export interface BuiltComponent {
  /** Body of a CommonJS module: sets `exports.instantiate(getCoreModule, imports, instantiateCore)`. */
  readonly glue: string;
  /** Metered core modules by the name that the glue asks for, Base64. */
  readonly modules: Readonly<Record<string, string>>;
  /** Exports `prepare`. */
  readonly prepares: boolean;
  /** No module does what putting its memory and globals back would not undo. */
  readonly resettable: boolean;
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
