/** What the prelude gives to a polyfill, besides what any code of a guest has. */
export interface Given {
  /** The host function `intl.call`: locales, options and input are JSON; the answer is a value, or null. */
  intl(service: string, method: string, locales: string, options: string, input: string): unknown;
}

declare global {
  /** The argument of the function that bundlePolyfill() makes around a polyfill. */
  const neira: Given;
}
