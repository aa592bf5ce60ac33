/** What a script guest boots from: the host's own guest code, and the plugin's bundle. */

export interface Polyfill {
  readonly name: string;
  readonly globals: readonly string[];
  /** Of prototypes that the engine has already, and that it replaces. */
  readonly methods: readonly string[];
  /** An expression: the function that installs it, given what guest/polyfills/given.ts names. */
  readonly code: string;
}

export interface BootSource {
  readonly prelude: string;
  /** Modules named `neira:host/*`, evaluated before the plugin so that it can import them. */
  readonly modules: readonly { readonly name: string; readonly code: string }[];
  /** Loaded when a global of theirs is first touched. */
  readonly polyfills: readonly Polyfill[];
  /** The plugin's bundle, an ES module. */
  readonly code: string;
  readonly name: string;
}
