/** What the bundler puts in the place of these names (script.ts), and the engine in that of the imports. */
declare module 'neira:inside/clock@1.0.0' {
  export function now(): { readonly seconds: number; readonly nanoseconds: number };
}
declare module 'neira:inside/random@1.0.0' {
  export function getRandomBytes(length: number): Uint8Array;
}
declare module 'neira:host/storage@1.0.0';
declare module 'neira:host/io@1.0.0';
declare module 'neira:host/bus@1.0.0';
declare module 'neira:host/principals@1.0.0';
declare module 'neira:host/timer@1.0.0';
declare module 'neira:host/intl@1.0.0';
declare module 'neira:prelude' {
  /** Runs quickjs/guest/prelude.ts. */
  export function runs(): void;
}
/** The modules of host functions that the plugin imports, and the polyfills that its code names. */
declare module 'neira:modules' {}
declare module 'neira:plugin' {
  export function handle(event: unknown): unknown;
  export const prepare: (() => unknown) | undefined;
}
declare module 'core-js/stable/promise' {}
