/**
 * The master key of the secrets: NEIRA_SECRETS_KEY, or the file `secrets.key` of the home, made when it is first
 * needed. It is never in the database, so neither a backup nor a copy of the database tells a secret.
 *
 * A key is changed in an order that can break off anywhere. The new key is on disk as `secrets.key.next` before
 * anything is sealed with it; one commit seals everything anew; then it takes the place of the old one, which stays
 * as `secrets.key.previous` until a boot has seen that the new one opens everything. Whichever of the three opens
 * what is stored is the key, whatever it is called.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { KEY_BYTES, readKey } from '../base/secret-box.ts';
import type { SecretKeys } from '../config.ts';
import { NeiraError } from '../errors.ts';
import { fault } from '../store/fault.ts';

const FILE = 'secrets.key';
const NEXT = `${FILE}.next`;
const PREVIOUS = `${FILE}.previous`;

export class MasterKeys {
  readonly #home: string;
  readonly #given: SecretKeys;

  constructor(home: string, given: SecretKeys) {
    this.#home = home;
    this.#given = given;
  }

  /** Whether the key is a setting of the environment, which the host cannot change. */
  get isGiven(): boolean {
    return this.#given.current !== undefined;
  }

  /**
   * Keys that secrets may be sealed with, the one meant first; and those that only open what an earlier one sealed.
   * @throws NEIRA_SECRETS_LOCKED when a file of them is not for its owner alone, or holds no key
   */
  read(): { readonly sealing: readonly Buffer[]; readonly opening: readonly Buffer[] } {
    const { current, previous } = this.#given;
    const files = [FILE, NEXT, PREVIOUS].flatMap((name) => this.#readFile(name) ?? []);
    const before = previous ? [previous] : [];
    return current
      ? { sealing: [current], opening: [...before, ...files] }
      : { sealing: files, opening: before };
  }

  /** The first key of a home. */
  create(): Buffer {
    const key = randomBytes(KEY_BYTES);
    this.#write(FILE, key);
    return key;
  }

  /** A new key that is on disk, and not yet the key. */
  prepareNext(): Buffer {
    const key = randomBytes(KEY_BYTES);
    this.#write(NEXT, key);
    fault('secrets.next-written');
    return key;
  }

  /** Everything is sealed with the next key. */
  adoptNext(): void {
    fault('secrets.resealed');
    if (existsSync(this.#path(FILE))) renameSync(this.#path(FILE), this.#path(PREVIOUS));
    fault('secrets.mid-swap');
    renameSync(this.#path(NEXT), this.#path(FILE));
    this.#sync();
  }

  /** `key` opens everything that is stored: it is the key from now on, and no other is kept. */
  settle(key: Buffer): void {
    if (this.isGiven) return;
    for (const name of [NEXT, PREVIOUS]) {
      const found = this.#readFile(name);
      if (found === undefined) continue;
      if (!found.equals(key) || this.#readFile(FILE)?.equals(key)) rmSync(this.#path(name));
      else renameSync(this.#path(name), this.#path(FILE));
    }
    this.#sync();
  }

  #readFile(name: string): Buffer | undefined {
    const file = this.#path(name);
    const found = statSync(file, { throwIfNoEntry: false });
    if (!found) return undefined;
    const mode = found.mode & 0o777;
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      const reason = `\`${name}\` can be read by others than its owner (mode 0${mode.toString(8)})`;
      throw new NeiraError('NEIRA_SECRETS_LOCKED', { reason, remedy: `Run \`chmod 600\` on it${ROTATE}.` });
    }
    const key = readKey(readFileSync(file, 'utf8'));
    if (key) return key;
    const reason = `\`${name}\` holds no key of 32 bytes in base64 or hex`;
    throw new NeiraError('NEIRA_SECRETS_LOCKED', { reason, remedy: 'Put the right file in its place.' });
  }

  /** Complete or not there at all. */
  #write(name: string, key: Buffer): void {
    const temporary = this.#path(`${name}.tmp`);
    rmSync(temporary, { force: true });
    writeFileSync(temporary, `${key.toString('base64')}\n`, { mode: 0o600, flush: true });
    renameSync(temporary, this.#path(name));
    this.#sync();
  }

  #sync(): void {
    const folder = openSync(this.#home, 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  }

  #path(name: string): string {
    return path.join(this.#home, name);
  }
}

const ROTATE = ', then change it with `neira secret rotate-key`: others may have read it';
