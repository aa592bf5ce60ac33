/**
 * What administrators do with the principals of a plugin. Who they are and what they ask comes from the plugin's
 * own turns; what they may comes from here.
 */
import { decide, type Operation } from '../../gates/decide.ts';
import type { Mode } from '../../gates/gates.ts';
import { type Permissions, pendingConsent } from '../base/permissions.ts';
import { type ErrorCode, NeiraError } from '../errors.ts';
import type { PrincipalRow } from '../store/principals.ts';
import { checkedGrants } from './grants.ts';
import { notYet } from './manifest.ts';
import type { Actor } from './plugin-admin.ts';
import type { Registry } from './registry.ts';

/** Events that all principals of one plugin may be granted to publish: their schemas ride along into every cell. */
export const MAX_PRINCIPAL_EVENTS = 256;

/** A principal as it is registered, and what it was granted of what it asks. */
export interface RegisteredPrincipal {
  readonly row: PrincipalRow;
  readonly asked: Permissions;
  readonly grants: Permissions;
  readonly pending: readonly string[];
}

export class PrincipalAdmin {
  readonly #registry: Registry;
  readonly #mode: () => Mode;

  constructor(registry: Registry, mode: () => Mode) {
    this.#registry = registry;
    this.#mode = mode;
  }

  /** @throws NEIRA_NOT_FOUND for a plugin that is not registered */
  list(plugin: string): readonly RegisteredPrincipal[] {
    this.#registry.get(plugin);
    return this.#registry.parts.store.principals(plugin).map(registered);
  }

  /** @throws NEIRA_NOT_FOUND */
  get(plugin: string, id: string): RegisteredPrincipal {
    const found = this.list(plugin).find(({ row }) => row.id === id);
    if (!found) throw new NeiraError('NEIRA_NOT_FOUND', { what: `principal of ${plugin}`, id });
    return found;
  }

  /**
   * Sets what a principal is granted, never more than it asks for; `all` is what it asks for now.
   * @throws NEIRA_INVALID, NEIRA_TOO_MANY, NEIRA_CONFLICT when it asks for something else meanwhile
   */
  async grant(by: Actor, plugin: string, id: string, permissions: unknown): Promise<RegisteredPrincipal> {
    return this.#registry.exclusive(plugin, async () => {
      this.#decide(by, 'grants');
      const { row, asked, grants: before } = this.get(plugin, id);
      const wanted = permissions === 'all' ? asked : permissions;
      const grants = checkedGrants(wanted, asked, 'the principal');
      requireOffered(grants);
      this.#requireRoom(plugin, id, grants);
      await this.#registry.commit(
        [
          {
            op: 'principal.grant',
            plugin,
            id,
            asked: row.asked,
            grants: JSON.stringify(grants),
            atMs: Date.now(),
          },
        ],
        [
          {
            actor: by.actor,
            action: 'principal.granted',
            target: `${plugin}/${id}`,
            before,
            after: grants,
            ...(row.digest !== null && { note: `its definition is ${row.digest}` }),
          },
        ],
      );
      // The schemas of what it may publish now.
      this.#registry.refreshPolicy(plugin);
      return this.get(plugin, id);
    });
  }

  /** Removes a principal with all that it kept. @throws NEIRA_NOT_FOUND */
  async remove(by: Actor, plugin: string, id: string): Promise<void> {
    await this.#registry.exclusive(plugin, async () => {
      this.#decide(by, 'principal.remove');
      const { row, asked, grants } = this.get(plugin, id);
      const before = { title: row.title, digest: row.digest, asked, grants };
      await this.#registry.commit(
        [{ op: 'principal.remove', plugin, id }],
        [{ actor: by.actor, action: 'principal.removed', target: `${plugin}/${id}`, before }],
      );
      this.#registry.refreshPolicy(plugin);
      // Its keys went with it.
      this.#registry.noteCommit(plugin);
    });
  }

  #requireRoom(plugin: string, id: string, grants: Permissions): void {
    const others = this.list(plugin).filter(({ row }) => row.id !== id);
    const events = new Set([...others, { grants }].flatMap((each) => each.grants.bus.publish));
    if (events.size <= MAX_PRINCIPAL_EVENTS) return;
    const what = 'events that its principals may publish';
    throw new NeiraError('NEIRA_TOO_MANY', { plugin, what, max: MAX_PRINCIPAL_EVENTS });
  }

  #decide(by: Actor, operation: Operation): void {
    const decision = decide({ about: 'change', operation, mode: this.#mode(), caller: by.scope });
    if (decision.verdict === 'run') return;
    throw new NeiraError((decision.code ?? 'NEIRA_INTERNAL') as ErrorCode, { ...decision.details });
  }
}

function registered(row: PrincipalRow): RegisteredPrincipal {
  const asked = JSON.parse(row.asked) as Permissions;
  const grants = JSON.parse(row.grants) as Permissions;
  return { row, asked, grants, pending: pendingConsent(asked, grants) };
}

/** What no plugin could be granted in this version of the host, no principal can. */
function requireOffered(grants: Permissions): void {
  const errors = notYet({ permissions: grants });
  if (errors.length === 0) return;
  const reason = errors.map(({ path, message }) => `${path} ${message}`).join('; ');
  throw new NeiraError('NEIRA_INVALID', { what: 'The grants', reason, errors });
}
