/** What may be published on this host, by whom, and who hears it: the event registry with its plugins. */
import type { EventRegistry } from '../bus/event-registry.ts';
import { covers, parseSubscriptionEvent } from '../bus/subject.ts';
import { SubjectTrie } from '../bus/subject-trie.ts';
import type { Topic, TopicSubscriber } from '../http/bus-api.ts';
import type { LivePlugin } from '../registry/live-plugin.ts';
import type { StoredSubscription } from '../store/mailbox-reads.ts';

export interface TopicParts {
  readonly events: EventRegistry;
  readonly plugins: readonly LivePlugin[];
  readonly dynamic: readonly StoredSubscription[];
  /** By `name@version`. */
  readonly waiting: ReadonlyMap<string, number>;
}

/** Of one topic; a plugin may subscribe ten thousand times. */
const MAX_SHOWN = 100;

export function topicsView({ events, plugins, dynamic, waiting }: TopicParts): readonly Topic[] {
  const subscriptions = subscriptionsOf(plugins, dynamic);
  const publishers = publishersOf(plugins);
  return events.list().map(({ name, version, kind, status, summary, owner }): Topic => {
    const fqdn = `${name}@${version}`;
    const hearing = subscriptions
      .match(name)
      .filter((each) => each.version === null || each.version === version);
    return {
      fqdn,
      kind,
      status,
      summary,
      owner,
      publishers: publishers.get(fqdn) ?? [],
      subscribers: hearing.slice(0, MAX_SHOWN),
      subscriber_count: hearing.length,
      waiting: waiting.get(fqdn) ?? 0,
    };
  });
}

function publishersOf(plugins: readonly LivePlugin[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const { row, manifest, grants } of plugins) {
    for (const fqdn of manifest.publishes) {
      const name = fqdn.slice(0, fqdn.indexOf('@'));
      if (grants.bus.publish.includes(name)) found.set(fqdn, [...(found.get(fqdn) ?? []), row.id]);
    }
  }
  return found;
}

/** Those in force, as the writer files them (store/mailbox-policies.ts): asked and granted, of a plugin that hears. */
function subscriptionsOf(
  plugins: readonly LivePlugin[],
  dynamic: readonly StoredSubscription[],
): SubjectTrie<TopicSubscriber> {
  const trie = new SubjectTrie<TopicSubscriber>((a, b) =>
    a.plugin < b.plugin ? -1 : a.plugin > b.plugin ? 1 : 0,
  );
  const made = Map.groupBy(dynamic, ({ plugin }) => plugin);
  for (const plugin of plugins) {
    const { row, manifest } = plugin;
    if (row.state !== 'enabled' && row.state !== 'quarantined') continue;
    const own = new Set(manifest.buttons.map(({ event }) => event));
    for (const { event, ...rest } of manifest.subscribes) {
      const { pattern, version } = parseSubscriptionEvent(event);
      if (own.has(pattern)) continue;
      file(trie, plugin, { ...rest, plugin: row.id, subscription: event, pattern, version, dynamic: false });
    }
    for (const { subscription } of made.get(row.id) ?? []) {
      const { name, ...rest } = subscription;
      file(trie, plugin, { ...rest, plugin: row.id, subscription: name, dynamic: true });
    }
  }
  return trie;
}

function file(
  trie: SubjectTrie<TopicSubscriber>,
  { manifest, grants }: LivePlugin,
  made: TopicSubscriber,
): void {
  const allowed = [manifest.permissions, grants].every(({ bus }) =>
    bus.subscribe.some((outer) => covers(outer, made.pattern)),
  );
  if (allowed) trie.add(made.pattern, made);
}
