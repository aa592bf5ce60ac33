/** What a file is, by its first bytes: an author who named the wrong file is told which one it was. */

const MAGIC = Buffer.from([0x00, 0x61, 0x73, 0x6d]);
const KNOWN: readonly (readonly [prefix: string, what: string])[] = [
  ['\x7fELF', 'an ELF program'],
  ['MZ', 'a Windows program'],
  ['\xcf\xfa\xed\xfe', 'a macOS program'],
  ['\xca\xfe\xba\xbe', 'a macOS program'],
  ['PK\x03\x04', 'a zip archive'],
  ['\x1f\x8b', 'a gzip archive'],
  ['BC\xc0\xde', 'LLVM bitcode'],
  ['!<arch>', 'a library of object files'],
];
const LOOKED_AT_BYTES = 4096;

export function isMagic(bytes: Uint8Array, at: number): boolean {
  return MAGIC.equals(bytes.subarray(at, at + MAGIC.length));
}

/** Whether it could have become a WebAssembly file, had it not been cut off. */
export function isStartOfMagic(bytes: Uint8Array): boolean {
  return bytes.length > 0 && bytes.length < MAGIC.length && MAGIC.subarray(0, bytes.length).equals(bytes);
}

/** In words that follow "it is". */
export function whatItIs(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'empty';
  const start = Buffer.from(bytes.subarray(0, LOOKED_AT_BYTES));
  const known = KNOWN.find(([prefix]) => start.toString('latin1', 0, prefix.length) === prefix);
  if (known) return known[1];
  const text = start.toString('utf8').replace(/\ufffd+$/, '');
  if (/[\ufffd\0]/.test(text)) return 'a file of an unknown kind';
  if (/^\s*(?:(?:;;.*|\(;[\s\S]*?;\))\s*)*\(\s*(?:component|module)\b/.test(text)) {
    return 'WebAssembly text (WAT), which is to be assembled first';
  }
  return /\b(?:function|import|export|const)\b/.test(text) ? 'source text' : 'text';
}
