/**
 * The routing table: which plugins get a published message, and with which key.
 *
 * It holds what subscriptions say and nothing of what was published, so after a restart it is built again
 * from them. It runs in the writer thread on every publish: finding the subscriptions costs what matches, not
 * what exists, and an envelope is parsed only when a filter or a key asks.
 */
import { NeiraError } from '../errors.ts';
import { type Envelope, parseEnvelope } from './envelope.ts';
import { compileFilter, type Filter } from './filter.ts';
import { keyOf, parseSingularPath } from './key.ts';
import { exactness, parsePattern } from './subject.ts';
import { SubjectTrie } from './subject-trie.ts';

export interface Subscription {
  /** Unique over all plugins: `<plugin>/<name>`. */
  readonly id: string;
  readonly plugin: string;
  readonly name: string;
  /** See `subject.ts`, without a version. */
  readonly pattern: string;
  /** Null for any. */
  readonly version: number | null;
  /** See `filter.ts`. */
  readonly filter?: string;
  /** RFC 9535 singular path into the envelope. */
  readonly key?: string;
  /** Queue group: of its members, over all plugins, one gets an event. */
  readonly group?: string;
  /** Whether its plugin could run now; the last word about a plugin counts for all its subscriptions. */
  readonly listening: boolean;
}

export interface Published {
  readonly subject: string;
  readonly version: number;
  /** The sealed envelope as JSON. */
  readonly envelope: string;
  /** `event`: every plugin, one of each group. `command`: one plugin. `broadcast`: every plugin. */
  readonly mode: 'event' | 'command' | 'broadcast';
}

export interface Target {
  readonly plugin: string;
  readonly key: string | undefined;
  /** Names of the subscriptions of this plugin that matched, in the order in which they were put. */
  readonly subscriptions: readonly string[];
}

interface Subscriber {
  readonly id: string;
  readonly order: number;
  readonly entries: Map<string, Entry>;
  listening: boolean;
}

interface Entry {
  readonly subscription: Subscription;
  readonly subscriber: Subscriber;
  readonly order: number;
  readonly exactness: number;
  readonly filter: Filter | undefined;
  /** When this one last got what a group shares in turn. */
  servedAt: number;
}

export class Router {
  readonly #subscribers = new Map<string, Subscriber>();
  readonly #entries = new Map<string, Entry>();
  /** Those of one plugin stand together, plugins and their subscriptions in the order in which they came. */
  readonly #trie = new SubjectTrie<Entry>(
    (a, b) => a.subscriber.order - b.subscriber.order || a.order - b.order,
  );
  #puts = 0;
  #served = 0;

  /**
   * Adds a subscription, or replaces the one of the same id, which keeps its place in the order.
   * @throws NEIRA_VALUE_INVALID for a pattern, filter or key that is none; nothing changes then.
   */
  put(subscription: Subscription): void {
    const { id, plugin, pattern } = subscription;
    parsePattern(pattern);
    const filter = subscription.filter === undefined ? undefined : compileFilter(subscription.filter);
    if (subscription.key !== undefined) requireKey(subscription.key);
    const old = this.#entries.get(id);
    if (old !== undefined && old.subscription.plugin !== plugin) {
      const reason = `\`${id}\` belongs to \`${old.subscription.plugin}\``;
      throw new NeiraError('NEIRA_VALUE_INVALID', { what: 'subscription', reason });
    }
    const subscriber = this.#subscriberOf(plugin);
    subscriber.listening = subscription.listening;
    const order = old?.order ?? ++this.#puts;
    const servedAt = old?.servedAt ?? 0;
    const entry = { subscription, subscriber, order, filter, exactness: exactness(pattern), servedAt };
    if (old !== undefined) this.#trie.remove(old.subscription.pattern, old);
    this.#trie.add(pattern, entry);
    this.#entries.set(id, entry);
    subscriber.entries.set(id, entry);
  }

  remove(id: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    const { subscription, subscriber } = entry;
    this.#trie.remove(subscription.pattern, entry);
    this.#entries.delete(id);
    subscriber.entries.delete(id);
    if (subscriber.entries.size === 0) this.#subscribers.delete(subscriber.id);
  }

  removePlugin(plugin: string): void {
    for (const { id } of this.subscriptionsOf(plugin)) this.remove(id);
  }

  setListening(plugin: string, listening: boolean): void {
    const subscriber = this.#subscribers.get(plugin);
    if (subscriber !== undefined) subscriber.listening = listening;
  }

  /** In the order in which they were put. */
  subscriptionsOf(plugin: string): readonly Subscription[] {
    const subscriber = this.#subscribers.get(plugin);
    if (subscriber === undefined) return [];
    const { entries, listening } = subscriber;
    return [...entries.values()].map(({ subscription }) => ({ ...subscription, listening }));
  }

  /**
   * Who gets a message, each plugin once, in the order in which plugins first subscribed. Filters decide
   * before groups do, so a group never loses an event to a member that does not want it.
   */
  route(published: Published): readonly Target[] {
    const reading = new Reading(published.envelope);
    const matched = this.#trie.match(published.subject).filter(({ subscription, filter }) => {
      const isVersion = subscription.version === null || subscription.version === published.version;
      return isVersion && (filter === undefined || reading.passes(filter));
    });
    if (published.mode === 'event') return targetsOf(this.#oneOfEachGroup(matched, reading), reading);
    if (published.mode === 'broadcast') return targetsOf(matched, reading);
    const best = mostExact(matched);
    const chosen = this.#choose(best, reading);
    return targetsOf(
      best.filter(({ subscriber }) => subscriber === chosen),
      reading,
    );
  }

  /** Whether anybody may get an event of this name, whatever its payload. */
  hears(subject: string): boolean {
    return this.#trie.match(subject).length > 0;
  }

  #subscriberOf(plugin: string): Subscriber {
    const known = this.#subscribers.get(plugin);
    if (known !== undefined) return known;
    const subscriber = { id: plugin, order: this.#puts + 1, entries: new Map(), listening: true };
    this.#subscribers.set(plugin, subscriber);
    return subscriber;
  }

  #oneOfEachGroup(matched: readonly Entry[], reading: Reading): readonly Entry[] {
    const members = new Map<string, Entry[]>();
    for (const entry of matched) {
      const { group } = entry.subscription;
      if (group === undefined) continue;
      const others = members.get(group);
      if (others === undefined) members.set(group, [entry]);
      else others.push(entry);
    }
    if (members.size === 0) return matched;
    const chosen = new Map<string, Subscriber | undefined>();
    for (const [group, entries] of members) chosen.set(group, this.#choose(entries, reading));
    return matched.filter(
      ({ subscription: { group }, subscriber }) => group === undefined || chosen.get(group) === subscriber,
    );
  }

  /**
   * One of the plugins whose subscriptions these are; one that listens, if there is any. The first key that
   * a subscription finds decides, always for the same plugin while the same ones listen; without a key it is
   * the turn of the one that waited longest.
   */
  #choose(entries: readonly Entry[], reading: Reading): Subscriber | undefined {
    const members = entries.filter((each, index) => each.subscriber !== entries[index - 1]?.subscriber);
    const listening = members.filter(({ subscriber }) => subscriber.listening);
    const pool = listening.length > 0 ? listening : members;
    if (pool.length === 0) return undefined;
    const key = firstKey(entries, reading);
    if (key !== undefined) {
      const affinities = pool.map(({ subscriber }) => affinity(subscriber.id, key));
      return pool[affinities.indexOf(Math.max(...affinities))]!.subscriber;
    }
    const next = pool.reduce((longest, each) => (each.servedAt < longest.servedAt ? each : longest));
    next.servedAt = ++this.#served;
    return next.subscriber;
  }
}

/** One envelope while it is routed: it is parsed once, and equal filters and keys are worked out once. */
class Reading {
  readonly #sealed: string;
  readonly #verdicts = new Map<string, boolean>();
  readonly #keys = new Map<string, string | undefined>();
  #envelope: Envelope | undefined;

  constructor(sealed: string) {
    this.#sealed = sealed;
  }

  passes(filter: Filter): boolean {
    const known = this.#verdicts.get(filter.text);
    if (known !== undefined) return known;
    const verdict = filter.matches(this.#parsed());
    this.#verdicts.set(filter.text, verdict);
    return verdict;
  }

  keyOf(subscription: Subscription): string | undefined {
    const path = subscription.key;
    if (path === undefined) return undefined;
    if (!this.#keys.has(path)) this.#keys.set(path, keyOf(subscription)(this.#parsed()));
    return this.#keys.get(path);
  }

  #parsed(): Envelope {
    this.#envelope ??= parseEnvelope(this.#sealed);
    return this.#envelope;
  }
}

function requireKey(path: string): void {
  try {
    parseSingularPath(path);
  } catch (error) {
    const reason = `\`${path.slice(0, 100)}\` ${(error as Error).message}`;
    throw new NeiraError('NEIRA_VALUE_INVALID', { what: 'key', reason });
  }
}

/** `entries` of one plugin stand together. */
function targetsOf(entries: readonly Entry[], reading: Reading): readonly Target[] {
  const targets: Target[] = [];
  for (let from = 0; from < entries.length; ) {
    const { subscriber } = entries[from]!;
    let to = from + 1;
    while (entries[to]?.subscriber === subscriber) to++;
    const own = entries.slice(from, to);
    const subscriptions = own.map(({ subscription }) => subscription.name);
    targets.push({ plugin: subscriber.id, key: firstKey(own, reading), subscriptions });
    from = to;
  }
  return targets;
}

function firstKey(entries: readonly Entry[], reading: Reading): string | undefined {
  for (const { subscription } of entries) {
    const key = reading.keyOf(subscription);
    if (key !== undefined) return key;
  }
  return undefined;
}

function mostExact(entries: readonly Entry[]): readonly Entry[] {
  const best = entries.reduce((most, each) => Math.max(most, each.exactness), 0);
  return entries.filter((each) => each.exactness === best);
}

/**
 * Rendezvous hashing: a key belongs to the member with the highest number, so when one leaves, only its
 * keys move. FNV-1a with the finish of MurmurHash3, which makes all bits depend on all characters.
 */
function affinity(member: string, key: string): number {
  let hash = 0x811c9dc5;
  const text = `${member}\n${key}`;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
