/**
 * On whose behalf a turn acts: the plugin itself, or one of the principals that it registered (design §4,
 * "Delegation"). Who that is rests on what the host knows; a plugin only says which of its own it means.
 */

import { grantsWithin, type Permissions, permissionNames } from '../base/permissions.ts';
import { describe, NeiraError, toShape } from '../errors.ts';
import { type PrincipalEntry, principalPrefix } from '../store/principals.ts';
import type { KeyRange } from '../store/ranges.ts';
import type { PrincipalDraft } from '../store/records.ts';
import type { PluginPolicy, StateEntry, TurnOrigin } from '../turn-context.ts';
import { requirePermission } from './turn-permission.ts';
import type { TurnState } from './turn-state.ts';

/** What is asked and granted, as flat permission names. */
export interface Rights {
  readonly asked: readonly string[];
  readonly granted: readonly string[];
}

/** On whose behalf main acts, and by which rights. */
export interface Delegated extends Rights {
  readonly principal: string;
}

export interface Principal extends Rights {
  readonly id: string;
  /** Of its keys and its subscriptions within those of the plugin; it never sees it. */
  readonly prefix: string;
}

/** What a turn staged about a principal. */
export interface StagedPrincipal {
  /** Undefined: it is removed. */
  readonly asked: Permissions | undefined;
  /** One that was removed on the way begins with nothing granted. */
  readonly keepsGrants: boolean;
}

type EntryText = PrincipalEntry | null;

export class TurnPrincipals {
  readonly #policy: PluginPolicy;
  readonly #origin: TurnOrigin;
  readonly #state: TurnState;
  readonly #read: (id: string) => string;
  /** Those that the turn acted as: it keeps what it found. */
  readonly #known = new Map<string, Principal>();
  #acting: Principal | undefined;

  /** @param read a registered principal, as the text of an {@link EntryText} */
  constructor(policy: PluginPolicy, origin: TurnOrigin, state: TurnState, read: (id: string) => string) {
    this.#policy = policy;
    this.#origin = origin;
    this.#state = state;
    this.#read = read;
  }

  /** Undefined: the plugin acts for itself. */
  get acting(): Principal | undefined {
    return this.#acting;
  }

  /** What is done now carries this. */
  get mark(): { readonly as?: string } {
    return this.#acting ? { as: this.#acting.id } : {};
  }

  /** Of whoever acts now. */
  get rights(): Rights {
    return this.#acting ?? this.#policy;
  }

  /** The part of them that counts beyond the turn, for what main does on behalf of a principal. */
  get delegated(): { readonly rights?: Delegated } {
    if (!this.#acting) return {};
    const { id: principal, asked, granted } = this.#acting;
    const counts = (name: string) => /^(io\.request|secrets)[:.]/.test(name);
    return { rights: { principal, asked: asked.filter(counts), granted: granted.filter(counts) } };
  }

  /** Who publishes, for envelopes and what is scoped by them. */
  get source(): string {
    const { plugin } = this.#policy;
    return this.#acting ? `plugin:${plugin}/${this.#acting.id}` : `plugin:${plugin}`;
  }

  /** @throws NEIRA_PRINCIPAL_UNKNOWN, NEIRA_PERMISSION_DENIED; who acts is then who acted before. */
  actAs(id: string | undefined): void {
    this.#acting = id === undefined ? undefined : (this.#known.get(id) ?? this.#find(id));
  }

  /** Names of what a principal was granted of what it asks. @throws NEIRA_PRINCIPAL_UNKNOWN, NEIRA_PERMISSION_DENIED */
  grantedTo(id: string): readonly string[] {
    return (this.#known.get(id) ?? this.#find(id)).granted;
  }

  /** Decides for whoever acts: what the plugin itself was granted is of no use to its principals. */
  require(permission: string): void {
    this.#decide(permission, this.#acting);
  }

  #decide(permission: string, principal: Principal | undefined): void {
    const { plugin, gate } = this.#policy;
    const { asked, granted } = principal ?? this.#policy;
    const who = { plugin, ...(principal && { principal: principal.id }), asked, granted, gate };
    requirePermission(who, this.#origin, permission);
  }

  // --- its part of the plugin's keys: a prefix that it can neither see nor leave

  keyOf(name: string): string {
    return this.#acting ? this.#acting.prefix + name : name;
  }

  rangeOf(range: KeyRange): KeyRange {
    if (!this.#acting) return range;
    const { prefix, after } = range;
    return {
      ...range,
      prefix: this.keyOf(prefix),
      ...(after !== undefined && { after: this.keyOf(after) }),
    };
  }

  show(entries: readonly StateEntry[]): readonly StateEntry[] {
    if (!this.#acting) return entries;
    const { length } = this.#acting.prefix;
    return entries.map((entry) => ({ ...entry, key: entry.key.slice(length) }));
  }

  // --- which there are

  register(draft: PrincipalDraft): void {
    this.#state.registerPrincipal(draft);
    this.#known.delete(draft.id);
  }

  remove(id: string): void {
    this.#state.removePrincipal(id);
    this.#known.delete(id);
  }

  #find(id: string): Principal {
    const { plugin } = this.#policy;
    // Whom it acts for next is the plugin's own choice.
    this.#decide('principals.delegate', undefined);
    const staged = this.#state.principals.get(id);
    const stored = JSON.parse(this.#read(id)) as EntryText;
    this.#state.principalsRead.set(id, stored?.version ?? 0);
    const asked = staged ? staged.asked : stored && (JSON.parse(stored.asked) as Permissions);
    if (!asked) throw new NeiraError('NEIRA_PRINCIPAL_UNKNOWN', { plugin, principal: id });
    const keeps = stored && (staged?.keepsGrants ?? true);
    const granted = keeps
      ? permissionNames(grantsWithin(JSON.parse(stored.grants) as Permissions, asked))
      : [];
    const principal = { id, prefix: principalPrefix(id), asked: permissionNames(asked), granted };
    this.#known.set(id, principal);
    return principal;
  }
}

/**
 * What the host tells of an error: to whom acts as a principal with that one's name, and with its keys as it
 * spells them.
 */
export function toldTo(acting: Principal | undefined, error: unknown) {
  const { code, details } = toShape(error);
  if (!acting) return { code, message: (error as Error).message, details };
  const { key } = details;
  const own = typeof key === 'string' && key.startsWith(acting.prefix) && key.slice(acting.prefix.length);
  const told = { ...details, ...(typeof own === 'string' && { key: own }), principal: acting.id };
  return { code, message: describe(code, told), details: told };
}
