/** Names what images and turns run on beside the plugin's own code. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ENGINE_FILE } from './engine.ts';
import type { GuestCode } from './guest-code.ts';

/** Of the engine's module and the host's own guest code: where it differs, a turn may run otherwise. */
export function engineDigest(guest: GuestCode): string {
  return createHash('sha256').update(readFileSync(ENGINE_FILE)).update(JSON.stringify(guest)).digest('hex');
}
