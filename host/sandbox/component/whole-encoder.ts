/**
 * Writes texts into the memory of a component, in place of `TextEncoder`.
 *
 * That of Node 26.10 stops short of the last letter of some texts although it would fit, among them plain Russian
 * ones, and the glue of jco, which makes room for exactly what the text needs, takes that for the end of the world.
 */
export class WholeEncoder {
  encode(text: string): Uint8Array {
    return Buffer.from(text, 'utf8');
  }

  /** @param into room for the whole text; `read` is 0 when it is less */
  encodeInto(text: string, into: Uint8Array): { readonly read: number; readonly written: number } {
    const written = Buffer.from(into.buffer, into.byteOffset, into.length).write(text, 'utf8');
    return { read: written === Buffer.byteLength(text) ? text.length : 0, written };
  }
}
