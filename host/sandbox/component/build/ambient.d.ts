/** What registration uses of WebAssembly beside what the script engine does. */
declare namespace WebAssembly {
  function validate(bytes: Uint8Array): boolean;
  let compile: (bytes: Uint8Array) => Promise<Module>;
}
