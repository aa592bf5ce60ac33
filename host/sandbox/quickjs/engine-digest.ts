/** What images and turns run on beside the plugin's own code, named and kept: an old turn may need an old engine. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import { ENGINE_FILE } from './engine.ts';
import type { GuestCode } from './guest-code.ts';

/** Of the engine's module and the host's own guest code: where it differs, a turn may run otherwise. */
export function engineDigest(guest: GuestCode): string {
  return createHash('sha256').update(readFileSync(ENGINE_FILE)).update(JSON.stringify(guest)).digest('hex');
}

const QUALITY = 5;

/** Both in one piece, to be kept as long as a recorded turn needs them. */
export function packEngine(guest: GuestCode): Buffer {
  const text = JSON.stringify({ module: readFileSync(ENGINE_FILE, 'base64'), guest });
  return brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_QUALITY]: QUALITY } });
}

export function unpackEngine(packed: Uint8Array): { engine: WebAssembly.Module; guestCode: GuestCode } {
  const { module, guest } = JSON.parse(brotliDecompressSync(packed).toString()) as {
    module: string;
    guest: GuestCode;
  };
  return { engine: new WebAssembly.Module(Buffer.from(module, 'base64')), guestCode: guest };
}
