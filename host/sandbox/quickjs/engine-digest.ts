/** What images and turns run on beside the plugin's own code, named and kept: an old turn may need an old engine. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { ENGINE_FILE } from './engine.ts';
import type { GuestCode } from './guest-code.ts';

const HEAD_BYTES = 4;

/** Of the engine's module and the host's own guest code: where it differs, a turn may run otherwise. */
export function engineDigest(guest: GuestCode): string {
  return createHash('sha256').update(readFileSync(ENGINE_FILE)).update(JSON.stringify(guest)).digest('hex');
}

/** Both in one piece, to be kept as long as a recorded turn needs them: length of the guest code, the guest code, the module. */
export function packEngine(guest: GuestCode): Buffer {
  const text = Buffer.from(JSON.stringify(guest));
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32LE(text.length);
  return zstdCompressSync(Buffer.concat([head, text, readFileSync(ENGINE_FILE)]));
}

export function unpackEngine(packed: Uint8Array): { engine: WebAssembly.Module; guestCode: GuestCode } {
  const bytes = zstdDecompressSync(packed);
  const end = HEAD_BYTES + bytes.readUInt32LE(0);
  const guestCode = JSON.parse(bytes.toString('utf8', HEAD_BYTES, end)) as GuestCode;
  return { engine: new WebAssembly.Module(new Uint8Array(bytes.subarray(end))), guestCode };
}
