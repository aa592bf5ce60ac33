/**
 * The secrets of the host: kept as ciphertext, in the clear only here, in the memory of main.
 *
 * They leave in two ways. {@link Secrets.fill} gives one to the port that sends it to a host it was granted for, so
 * that a plugin never sees it; {@link Secrets.reveal} shows one to a turn, when that was granted by itself. Every
 * value that this process ever knew is masked wherever the host tells something: the log, the writer of the store
 * and the HTTP layer are told of it before it can be used.
 */
import { decide } from '../../gates/decide.ts';
import { type KnownText, Masker, NOTHING_KNOWN, secretText } from '../base/masker.ts';
import { seal, unseal } from '../base/secret-box.ts';
import type { RevealCall } from '../context/secret-reveal.ts';
import type { SecretSource } from '../context/secret-source.ts';
import { NeiraError } from '../errors.ts';
import type { Ack, AdminOp, AdminRecord, SecretRow } from '../store/records.ts';
import type { PluginPolicy } from '../turn-context.ts';
import type { MasterKeys } from './secret-keys.ts';
import type { WaitCall } from './turn-waits.ts';

export const SECRET_NAME = /^(?=.{1,128}$)[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$/;
export const MAX_SECRET_BYTES = 64 * 1024;
/** What masking may have to look for. */
const MAX_SECRETS = 1000;

export interface SecretParts {
  readonly keys: MasterKeys;
  rows(): readonly SecretRow[];
  submit(record: AdminRecord): Promise<Ack>;
  /** Told before a value can be used, and waited for. */
  learn(known: readonly KnownText[]): Promise<void>;
  /** Why secrets cannot be used; said once. */
  warn(details: object, message: string): void;
}

interface Opened {
  readonly row: SecretRow;
  /** Undefined when no key opens it. */
  readonly value: string | undefined;
}

export class Secrets implements SecretSource {
  readonly #parts: SecretParts;
  readonly #open = new Map<string, Opened>();
  /** Every value of this process, also those that are of no use any more. */
  readonly #known = new Map<string, KnownText>();
  #masker: Masker = NOTHING_KNOWN;
  #sealing: Buffer | undefined;
  #trouble: NeiraError | undefined;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(parts: SecretParts) {
    this.#parts = parts;
  }

  /** A host whose secrets cannot be opened runs all the same, without them: {@link NeiraError NEIRA_SECRETS_LOCKED}. */
  static async open(parts: SecretParts): Promise<Secrets> {
    const secrets = new Secrets(parts);
    await secrets.#load();
    return secrets;
  }

  list(): readonly SecretRow[] {
    return [...this.#open.values()].map(({ row }) => row).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Whether a secret can be used now. */
  isUsable(name: string): boolean {
    return this.#trouble === undefined && this.#open.get(name)?.value !== undefined;
  }

  // --- administration

  /**
   * Sets a secret; another value is a new version, and from then on the only one.
   * @throws NEIRA_INVALID, which never shows what was given; NEIRA_SECRETS_LOCKED
   */
  set(
    actor: string,
    name: string,
    value: string,
  ): Promise<{ readonly row: SecretRow; readonly created: boolean }> {
    requireName(name);
    requireValue(value);
    return this.#exclusive(async () => {
      await this.#mend();
      const before = this.#open.get(name)?.row;
      if (!before && this.#open.size >= MAX_SECRETS)
        throw invalid('name', `is one more than the ${MAX_SECRETS} secrets that a host keeps`);
      this.#sealing ??= this.#parts.keys.create();
      const nowMs = Date.now();
      const version = (before?.version ?? 0) + 1;
      const sealed = seal(this.#sealing, { name, version }, value);
      const row: SecretRow = {
        name,
        version,
        sealed,
        createdAtMs: before?.createdAtMs ?? nowMs,
        setAtMs: nowMs,
      };
      // Before anybody could read it: what is told from here on does not tell it.
      await this.#learn([[name, value]]);
      await this.#commit([{ op: 'secret.put', row }], {
        actor,
        action: 'secret.set',
        target: name,
        after: { version },
      });
      this.#open.set(name, { row, value });
      return { row, created: before === undefined };
    });
  }

  /** @throws NEIRA_SECRET_MISSING */
  remove(actor: string, name: string): Promise<void> {
    requireName(name);
    return this.#exclusive(async () => {
      const found = this.#open.get(name);
      if (!found) throw missing(name);
      const before = { version: found.row.version };
      await this.#commit([{ op: 'secret.delete', name }], {
        actor,
        action: 'secret.removed',
        target: name,
        before,
      });
      this.#open.delete(name);
      if (this.#trouble) await this.#load();
    });
  }

  /**
   * Seals every secret with a new master key, in one commit. A key of the environment is changed there: this then
   * seals with it what the previous one had sealed.
   */
  rotateKey(actor: string): Promise<{ readonly secrets: number }> {
    return this.#exclusive(async () => {
      await this.#mend();
      const { keys } = this.#parts;
      if (
        keys.isGiven &&
        [...this.#open.values()].every(({ row }) => unseal(this.#sealing!, row) !== undefined)
      )
        throw invalid(
          'NEIRA_SECRETS_KEY',
          'seals everything already: start the host with a new key there and the old one in NEIRA_SECRETS_KEY_PREVIOUS, then rotate',
        );
      const key = keys.isGiven ? this.#sealing! : keys.prepareNext();
      const sealedAnew = [...this.#open.values()].map(({ row, value }): Opened => {
        return { row: { ...row, sealed: seal(key, row, value!) }, value };
      });
      const after = { secrets: sealedAnew.length };
      await this.#commit(
        sealedAnew.map(({ row }) => ({ op: 'secret.put', row })),
        { actor, action: 'secret.key-rotated', target: 'secrets', after },
      );
      this.#sealing = key;
      for (const each of sealedAnew) this.#open.set(each.row.name, each);
      if (!keys.isGiven) keys.adoptNext();
      return after;
    });
  }

  // --- use

  fill(policy: PluginPolicy, name: string, host: string): string {
    const permission = permissionFor(policy, name, host.toLowerCase());
    const decision = decide({
      about: 'call',
      plugin: policy.plugin,
      permission,
      asked: policy.asked.includes(permission),
      granted: policy.granted.includes(permission),
      gate: policy.gate,
      // Whether the request itself may leave was decided with the mode.
      mode: 'normal',
      caller: 'host',
    });
    if (decision.verdict !== 'run') {
      const { reason, remedy } = decision;
      throw new NeiraError('NEIRA_SECRET_DENIED', {
        plugin: policy.plugin,
        secret: name,
        host,
        permission,
        reason,
        remedy,
      });
    }
    return this.#valueOf(name);
  }

  /** For a turn that is run again: undefined unless the plugin may see it now. */
  shownTo({ asked, granted }: PluginPolicy, name: string): string | undefined {
    const permission = `secrets.reveal:${name}`;
    if (!asked.includes(permission) || !granted.includes(permission) || !this.isUsable(name))
      return undefined;
    return this.#valueOf(name);
  }

  /**
   * Answers the wait of `io.secret`. The cell has asked whether it may; main does not take its word for it, but for
   * a principal, of whom the turn alone knows what it found and staged.
   */
  async reveal({ args, serving, turn }: WaitCall): Promise<string> {
    const { name, as } = JSON.parse(args) as RevealCall;
    const { plugin, asked, granted, gate } = serving.policy;
    const permission = as === undefined ? `secrets.reveal:${name}` : 'principals.delegate';
    const decision = decide({
      about: 'call',
      plugin,
      permission,
      asked: asked.includes(permission),
      granted: granted.includes(permission),
      gate,
      mode: turn.mode,
      caller: turn.caller,
    });
    if (decision.verdict !== 'run' && !(decision.verdict === 'dry-run' && turn.dryRun))
      throw new NeiraError('NEIRA_PERMISSION_DENIED', { plugin, permission, ...decision.details });
    return `V${JSON.stringify(this.#valueOf(name))}`;
  }

  mask(text: string): string {
    return this.#masker.mask(text);
  }

  maskValue<Value>(value: Value): Value {
    return this.#masker.maskValue(value);
  }

  /** The same for JSON text. */
  maskJson(json: string): string {
    return this.mask(json) === json ? json : JSON.stringify(this.maskValue(JSON.parse(json)));
  }

  #valueOf(name: string): string {
    this.#requireUsable();
    const value = this.#open.get(name)?.value;
    if (value === undefined) throw missing(name);
    return value;
  }

  // --- what is stored

  async #load(): Promise<void> {
    this.#trouble = undefined;
    let keys: ReturnType<MasterKeys['read']> = { sealing: [], opening: [] };
    try {
      keys = this.#parts.keys.read();
    } catch (error) {
      this.#refuse(error as NeiraError);
    }
    const rows = this.#parts.rows();
    this.#open.clear();
    for (const row of rows) {
      const value = [...keys.sealing, ...keys.opening]
        .map((key) => unseal(key, row))
        .find((text) => text !== undefined);
      this.#open.set(row.name, { row, value });
    }
    const closed = [...this.#open.values()].filter(({ value }) => value === undefined);
    if (closed.length > 0 && !this.#trouble) this.#refuse(unfit(closed.map(({ row }) => row.name)));
    await this.#learn(
      [...this.#open].flatMap(([name, { value }]) => (value === undefined ? [] : [[name, value]])),
    );
    if (this.#trouble) return;
    this.#sealing = keys.sealing.find((key) => opensAll(key, rows)) ?? keys.sealing[0];
    if (this.#sealing && opensAll(this.#sealing, rows)) this.#parts.keys.settle(this.#sealing);
  }

  #refuse(error: NeiraError): void {
    this.#trouble = error;
    const { code, details, message } = error;
    this.#parts.warn({ code, ...details }, message);
  }

  /** Somebody may have put right what was wrong. */
  async #mend(): Promise<void> {
    if (this.#trouble) await this.#load();
    this.#requireUsable();
  }

  #requireUsable(): void {
    if (this.#trouble) throw this.#trouble;
  }

  async #learn(values: readonly (readonly [name: string, value: string])[]): Promise<void> {
    if (values.length === 0) return;
    for (const [name, value] of values) this.#known.set(`${name}\n${value}`, secretText(name, value));
    const known = [...this.#known.values()];
    this.#masker = new Masker(known);
    await this.#parts.learn(known);
  }

  async #commit(ops: readonly AdminOp[], entry: AdminRecord['journal'][number]): Promise<void> {
    const ack = await this.#parts.submit({ kind: 'admin', ops, journal: [entry] });
    if (ack.ok) return;
    if (ack.conflict || ack.gone || ack.cut)
      throw new NeiraError('NEIRA_STORE_FAILED', { reason: 'it was not taken' });
    throw new NeiraError(ack.error.code, ack.error.details);
  }

  /** One change after the other. */
  #exclusive<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }
}

/** What is refused is not shown: somebody may have given the value where the name goes. */
function requireName(name: string): void {
  if (!SECRET_NAME.test(name))
    throw invalid(
      'name',
      'must be like weather.api_key: parts of a-z, 0-9 and `_` with dots between, up to 128 characters',
    );
}

function requireValue(value: unknown): asserts value is string {
  if (typeof value !== 'string' || value === '') throw invalid('value', 'must be a text that is not empty');
  if (!value.isWellFormed()) throw invalid('value', 'must be well-formed Unicode');
  if (Buffer.byteLength(value) > MAX_SECRET_BYTES)
    throw invalid('value', `must be at most ${MAX_SECRET_BYTES} bytes`);
}

function invalid(path: string, message: string): NeiraError {
  return new NeiraError('NEIRA_INVALID', {
    what: 'The secret',
    reason: `${path} ${message}`,
    errors: [{ path, message }],
  });
}

function missing(name: string): NeiraError {
  return new NeiraError('NEIRA_SECRET_MISSING', { secret: name });
}

/** The permission that covers `host`, where one is asked for; a rule `*.example.org` covers all below it. */
function permissionFor({ asked }: PluginPolicy, name: string, host: string): string {
  const prefix = `secrets:${name}@`;
  const exact = `${prefix}${host}`;
  if (asked.includes(exact)) return exact;
  const covers = (each: string) =>
    each.startsWith(`${prefix}*.`) && host.endsWith(each.slice(prefix.length + 1));
  return asked.find(covers) ?? exact;
}

function unfit(names: readonly string[]): NeiraError {
  return new NeiraError('NEIRA_SECRETS_LOCKED', {
    reason: `no key that there is opens ${names.slice(0, 10).join(', ')}`,
    remedy:
      'Put the key they were sealed with into `secrets.key` of the home or NEIRA_SECRETS_KEY, or remove them with `neira secret rm`.',
    secrets: names,
  });
}

function opensAll(key: Buffer, rows: readonly SecretRow[]): boolean {
  return rows.every((row) => unseal(key, row) !== undefined);
}
