import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Permissions } from '../base/permissions.ts';
import type { EventRouter, SubscriptionDraft } from './bus-records.ts';
import { type PrincipalEntry, preparePrincipal } from './principals.ts';

/** The bounds of one plugin's mailbox, as its manifest gives them. */
export interface MailboxPolicy {
  readonly max: number;
  /** What a full mailbox does: slow its publishers, or shed. */
  readonly overflow: 'slow' | 'drop_newest' | 'drop_oldest';
  readonly maxAgeMs: number;
}

/** The part of a stored manifest that says what a plugin hears; a projection of registry/manifest.ts. */
interface StoredManifest {
  readonly subscribes?: readonly {
    readonly event: string;
    readonly key?: string;
    readonly filter?: string;
    readonly group?: string;
  }[];
  readonly buttons?: readonly { readonly event: string }[];
  readonly permissions?: {
    readonly bus?: { readonly subscribe?: readonly string[] };
    readonly principals?: readonly string[];
  };
  readonly mailbox?: {
    readonly max: number;
    readonly overflow: MailboxPolicy['overflow'];
    readonly maxAgeH: number;
  };
}

/** Of a plugin that is gone or whose manifest says nothing. */
const DEFAULT: MailboxPolicy = { max: 10_000, overflow: 'slow', maxAgeMs: 7 * 24 * 60 * 60 * 1000 };
const HOUR_MS = 60 * 60 * 1000;

/** States in which a plugin hears: a quarantined one keeps its place, a disabled one gave it up (design §4). */
const HEARING = `state in ('enabled', 'quarantined')`;

/**
 * Who hears what, and how full each mailbox is: kept in memory, from rows that the same transaction wrote.
 * So an event that is committed after a subscription reaches it, and one before it does not.
 */
export class MailboxPolicies {
  readonly #router: EventRouter;
  readonly #hearing: StatementSync;
  readonly #everyone: StatementSync;
  readonly #dynamic: StatementSync;
  readonly #principal: (plugin: string, id: string) => PrincipalEntry | undefined;
  readonly #count: StatementSync;
  readonly #counts: StatementSync;
  readonly #hearers = new Map<string, Hearer>();
  readonly #depths = new Map<string, number>();
  /** Changes of depths in this group, to be taken back where a record is. */
  #changes: { readonly plugin: string; readonly by: number }[] = [];
  readonly #touched = new Set<string>();
  #listening: ReadonlySet<string> = new Set();

  constructor(db: DatabaseSync, router: EventRouter) {
    this.#router = router;
    const columns = 'p.id as plugin, p.state as state, p.grants as grants, v.manifest as manifest';
    const from = `from plugin p join version v on v.plugin = p.id and v.digest = p.digest where ${HEARING}`;
    this.#hearing = db.prepare(`select ${columns} ${from} and p.id = ?`);
    this.#everyone = db.prepare(`select ${columns} ${from} order by p.id`);
    this.#dynamic = db.prepare('select draft from subscription where plugin = ? order by name');
    this.#principal = preparePrincipal(db);
    this.#count = db.prepare('select count(*) as count from delivery where plugin = ?');
    this.#counts = db.prepare('select plugin, count(*) as count from delivery group by plugin');
  }

  /** Reads everything anew: at boot, and after a group that did not commit. */
  load(): void {
    for (const plugin of this.#hearers.keys()) this.#router.removePlugin(plugin);
    this.#hearers.clear();
    this.#depths.clear();
    this.#changes = [];
    this.#touched.clear();
    for (const { plugin, count } of this.#counts.all()) this.#depths.set(plugin as string, Number(count));
    for (const row of this.#everyone.all()) this.#hear(row as unknown as HearingRow);
  }

  /** A plugin, its version, grants or subscriptions changed in this group. */
  refresh(plugin: string): void {
    this.#router.removePlugin(plugin);
    this.#hearers.delete(plugin);
    this.#touched.add(plugin);
    this.#depths.set(plugin, Number(this.#count.get(plugin)!['count']));
    const row = this.#hearing.get(plugin) as unknown as HearingRow | undefined;
    if (row) this.#hear(row);
  }

  #hear({ plugin, state, grants, manifest: text }: HearingRow): void {
    const manifest = JSON.parse(text) as StoredManifest;
    const { mailbox } = manifest;
    const given = JSON.parse(grants) as StoredManifest['permissions'];
    const hearer: Hearer = {
      policy: mailbox
        ? { max: mailbox.max, overflow: mailbox.overflow, maxAgeMs: mailbox.maxAgeH * HOUR_MS }
        : DEFAULT,
      asked: manifest.permissions?.bus?.subscribe ?? [],
      granted: given?.bus?.subscribe ?? [],
      delegates: [manifest.permissions, given].every((each) => each?.principals?.includes('delegate')),
      listening: state === 'enabled' && this.#listening.has(plugin),
    };
    this.#hearers.set(plugin, hearer);
    const own = new Set(manifest.buttons?.map(({ event }) => event));
    for (const { event, ...rest } of manifest.subscribes ?? []) {
      const { pattern, version } = this.#router.parseEvent(event);
      // What its own buttons send comes to it by the tool, and once is enough.
      if (!own.has(pattern)) this.#put(plugin, hearer, '', { ...rest, name: event, pattern, version });
    }
    for (const { draft } of this.#dynamic.all(plugin))
      this.#put(plugin, hearer, '=', JSON.parse(draft as string) as SubscriptionDraft);
  }

  /** Only what is both asked in the manifest and granted; the others come into force with the grant. */
  #put(plugin: string, hearer: Hearer, mark: string, draft: SubscriptionDraft): void {
    const { listening } = hearer;
    const { asked, granted } = draft.as === undefined ? hearer : this.#patternsOf(plugin, hearer, draft.as);
    const allowed = [asked, granted].every((patterns) =>
      patterns.some((outer) => this.#router.covers(outer, draft.pattern)),
    );
    if (allowed) this.#router.put({ ...draft, id: `${plugin}/${mark}${draft.name}`, plugin, listening });
  }

  /** What a principal may hear is decided by its own grants, as long as its plugin may delegate. */
  #patternsOf(plugin: string, { delegates }: Hearer, principal: string): Pick<Hearer, 'asked' | 'granted'> {
    const found = delegates ? this.#principal(plugin, principal) : undefined;
    const patterns = (text: string) => (JSON.parse(text) as Permissions).bus.subscribe;
    return found
      ? { asked: patterns(found.asked), granted: patterns(found.grants) }
      : { asked: [], granted: [] };
  }

  /** A dynamic subscription was made, or replaced. */
  subscribe(plugin: string, draft: SubscriptionDraft): void {
    this.unsubscribe(plugin, draft.name);
    const hearer = this.#hearers.get(plugin);
    if (hearer) this.#put(plugin, hearer, '=', draft);
  }

  unsubscribe(plugin: string, name: string): void {
    this.#touched.add(plugin);
    this.#router.remove(`${plugin}/=${name}`);
  }

  /** Plugins that could run now: of a queue group they get the work. */
  listen(plugins: readonly string[]): void {
    const before = this.#listening;
    this.#listening = new Set(plugins);
    for (const plugin of new Set([...before, ...plugins]))
      if (before.has(plugin) !== this.#listening.has(plugin)) this.refresh(plugin);
  }

  of(plugin: string): MailboxPolicy {
    return this.#hearers.get(plugin)?.policy ?? DEFAULT;
  }

  /** Of plugins for which something waits. */
  filled(): Iterable<readonly [string, MailboxPolicy]> {
    return [...this.#depths].filter(([, depth]) => depth > 0).map(([plugin]) => [plugin, this.of(plugin)]);
  }

  depth(plugin: string): number {
    return this.#depths.get(plugin) ?? 0;
  }

  isFull(plugin: string): boolean {
    const { max, overflow } = this.of(plugin);
    return overflow === 'slow' && this.depth(plugin) >= max;
  }

  added(plugin: string, by: number): void {
    this.#depths.set(plugin, this.depth(plugin) + by);
    this.#changes.push({ plugin, by });
  }

  mark(): number {
    return this.#changes.length;
  }

  /** Takes back what the rolled back record did. */
  rewind(mark: number): void {
    for (const { plugin, by } of this.#changes.splice(mark))
      this.#depths.set(plugin, this.depth(plugin) - by);
    // Rows are back as they were: those of other records of the group are read again with them.
    for (const plugin of [...this.#touched]) this.refresh(plugin);
  }

  /** The group committed. */
  settle(): void {
    this.#changes = [];
    this.#touched.clear();
  }
}

interface Hearer {
  readonly policy: MailboxPolicy;
  readonly asked: readonly string[];
  readonly granted: readonly string[];
  /** Whether it may act for others. */
  readonly delegates: boolean;
  readonly listening: boolean;
}

interface HearingRow {
  readonly plugin: string;
  readonly state: string;
  readonly grants: string;
  readonly manifest: string;
}
