/** Secrets at rest: AES-256-GCM, bound to their name and version, so that no row can stand in for another. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

export const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export interface SealedSecret {
  readonly name: string;
  readonly version: number;
  /** base64 of nonce, ciphertext and tag. */
  readonly sealed: string;
}

export function seal(key: Buffer, { name, version }: Omit<SealedSecret, 'sealed'>, value: string): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(associated(name, version));
  const text = Buffer.concat([cipher.update(value, 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, text, cipher.getAuthTag()]).toString('base64');
}

/** The clear text; undefined when it was sealed with another key, or is not what was sealed. */
export function unseal(key: Buffer, { name, version, sealed }: SealedSecret): string | undefined {
  const bytes = Buffer.from(sealed, 'base64');
  if (bytes.length < NONCE_BYTES + TAG_BYTES) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(associated(name, version));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
    return Buffer.concat([text, decipher.final()]).toString('utf8');
  } catch {
    // Authentication failed; a cipher says no more than that.
    return undefined;
  }
}

/** 32 bytes in base64 or hex; undefined for anything else. */
export function readKey(text: string): Buffer | undefined {
  const given = text.trim();
  if (/^[0-9a-f]{64}$/i.test(given)) return Buffer.from(given, 'hex');
  if (/^[A-Za-z0-9+/]{43}=$/.test(given)) return Buffer.from(given, 'base64');
  return undefined;
}

function associated(name: string, version: number): Buffer {
  return Buffer.from(`neira:secret:${name}:${version}`);
}
