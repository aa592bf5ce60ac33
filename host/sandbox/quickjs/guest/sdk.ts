/** What the prelude hands to the modules `neira:host/*` while the image is built. */
export interface Sdk {
  call(op: string, ...args: string[]): unknown;
  callLater(args: () => string[]): Promise<unknown>;
  text(value: unknown, what: string): string;
  json(value: unknown, what: string): string;
  count(value: unknown, what: string): string;
  logLine(line: string): string;
  NeiraError: unknown;
}

/** Each module has a copy of its own; acting.ts changes that of `neira:host/principals`. */
export const sdk: Sdk = { ...(globalThis as unknown as { __neira: Sdk }).__neira };
