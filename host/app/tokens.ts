/**
 * Tokens: who calls, and with which scope. Only hashes are stored; comparing takes the same time whatever
 * was sent (contract, HTTP).
 */
import { hash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { SCOPES, type Scope } from '../../gates/gates.ts';
import { NeiraError } from '../errors.ts';
import type { Caller, TokenView } from '../http/api.ts';
import { requireAck } from '../registry/gate-service.ts';
import type { Ack, AdminRecord, TokenRow } from '../store/records.ts';

export interface TokenStore {
  tokens(): readonly TokenRow[];
  submit(record: AdminRecord): Promise<Ack>;
}

const TOKEN_BYTES = 32;
const ADMIN_TOKEN_FILE = 'admin.token';

/** The administrator's token: from the environment, else from the home, else made now (mode 0600). */
export function adminToken(home: string, given: string | undefined): string {
  if (given !== undefined) return given;
  const file = path.join(home, ADMIN_TOKEN_FILE);
  const kept = existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
  if (kept !== '') {
    chmodSync(file, 0o600);
    return kept;
  }
  const token = newSecret();
  // Renamed into place, so that a boot that dies here leaves no file without a token.
  const temporary = `${file}.tmp`;
  writeFileSync(temporary, `${token}\n`, { mode: 0o600, flush: true });
  renameSync(temporary, file);
  return token;
}

interface Known {
  readonly row: TokenRow;
  readonly hash: Buffer;
  readonly caller: Caller;
}

export class Tokens {
  readonly #store: TokenStore;
  readonly #admin: Known;
  #known: readonly Known[] = [];

  constructor(store: TokenStore, admin: string) {
    this.#store = store;
    this.#admin = known({
      id: 'admin',
      name: 'admin',
      hash: sha256(admin),
      scopes: '["admin"]',
      createdAtMs: 0,
      expiresAtMs: null,
      revokedAtMs: null,
    });
    this.#refresh();
  }

  authenticate(token: string): Caller | undefined {
    const digest = hash('sha256', token, 'buffer');
    let found: Known | undefined;
    // Every known token is compared, so that time tells nothing.
    for (const each of [this.#admin, ...this.#known]) if (timingSafeEqual(each.hash, digest)) found = each;
    return found && isValid(found.row) ? found.caller : undefined;
  }

  list(): readonly TokenView[] {
    return this.#store.tokens().map(view);
  }

  /** The secret is in this answer and nowhere else. */
  async create(
    actor: string,
    draft: { readonly name: string; readonly scopes: readonly Scope[]; readonly expiresAt?: string },
  ): Promise<TokenView & { readonly token: string }> {
    const token = newSecret();
    const row: TokenRow = {
      id: randomUUID(),
      name: draft.name,
      hash: sha256(token),
      scopes: JSON.stringify(draft.scopes),
      createdAtMs: Date.now(),
      expiresAtMs: draft.expiresAt === undefined ? null : Date.parse(draft.expiresAt),
      revokedAtMs: null,
    };
    const after = { name: row.name, scopes: draft.scopes, expires_at: draft.expiresAt ?? null };
    await this.#commit({
      kind: 'admin',
      ops: [{ op: 'token.put', row }],
      journal: [{ actor, action: 'token.created', target: row.id, after }],
    });
    return { ...view(row), token };
  }

  async revoke(actor: string, id: string): Promise<void> {
    const row = this.#store.tokens().find((token) => token.id === id);
    if (!row) throw new NeiraError('NEIRA_NOT_FOUND', { what: 'token', id });
    if (row.revokedAtMs !== null) return;
    await this.#commit({
      kind: 'admin',
      ops: [{ op: 'token.revoke', id, atMs: Date.now() }],
      journal: [{ actor, action: 'token.revoked', target: id, before: { name: row.name } }],
    });
  }

  async #commit(record: AdminRecord): Promise<void> {
    requireAck(await this.#store.submit(record));
    this.#refresh();
  }

  #refresh(): void {
    this.#known = this.#store.tokens().map(known);
  }
}

function known(row: TokenRow): Known {
  const scopes = JSON.parse(row.scopes) as Scope[];
  const scope = [...SCOPES].reverse().find((each) => scopes.includes(each)) ?? 'read';
  return { row, hash: Buffer.from(row.hash, 'hex'), caller: { actor: row.name, tokenId: row.id, scope } };
}

function isValid({ expiresAtMs, revokedAtMs }: TokenRow): boolean {
  return revokedAtMs === null && (expiresAtMs === null || expiresAtMs > Date.now());
}

function view(row: TokenRow): TokenView {
  const time = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
  return {
    id: row.id,
    name: row.name,
    scopes: JSON.parse(row.scopes) as Scope[],
    created_at: new Date(row.createdAtMs).toISOString(),
    expires_at: time(row.expiresAtMs),
    revoked_at: time(row.revokedAtMs),
  };
}

function sha256(text: string): string {
  return hash('sha256', text);
}

function newSecret(): string {
  return `neira_${randomBytes(TOKEN_BYTES).toString('base64url')}`;
}
