/** What may be published on this host, by whom, and who hears it: the event registry with its plugins. */

import type { Permissions } from '../base/permissions.ts';
import type { EventRegistry } from '../bus/event-registry.ts';
import { covers, parseSubscriptionEvent } from '../bus/subject.ts';
import { SubjectTrie } from '../bus/subject-trie.ts';
import type { Topic, TopicSubscriber } from '../http/bus-api.ts';
import type { LivePlugin } from '../registry/live-plugin.ts';
import type { RegisteredPrincipal } from '../registry/principal-admin.ts';
import type { StoredSubscription } from '../store/mailbox-reads.ts';

export interface TopicParts {
  readonly events: EventRegistry;
  readonly plugins: readonly LivePlugin[];
  readonly dynamic: readonly StoredSubscription[];
  /** On whose behalf a plugin acts. */
  principals(plugin: string): readonly RegisteredPrincipal[];
  /** By `name@version`. */
  readonly waiting: ReadonlyMap<string, number>;
}

/** Of one topic; a plugin may subscribe ten thousand times. */
const MAX_SHOWN = 100;

export function topicsView({ events, dynamic, waiting, ...parts }: TopicParts): readonly Topic[] {
  const plugins = parts.plugins.map((plugin) => ({ ...plugin, principals: principalsOf(parts, plugin) }));
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
      publishers: [...(publishers.get(fqdn) ?? []), ...actingPublishers(plugins, name)],
      subscribers: hearing.slice(0, MAX_SHOWN),
      subscriber_count: hearing.length,
      waiting: waiting.get(fqdn) ?? 0,
    };
  });
}

type WithPrincipals = LivePlugin & { readonly principals: readonly RegisteredPrincipal[] };

/** None of a plugin that may not delegate. */
function principalsOf(parts: Pick<TopicParts, 'principals'>, { row, manifest, grants }: LivePlugin) {
  const delegates = [manifest.permissions, grants].every(({ principals }) =>
    principals?.includes('delegate'),
  );
  return delegates ? parts.principals(row.id) : [];
}

/** Principals that were granted to publish it in any version. */
function actingPublishers(plugins: readonly WithPrincipals[], name: string): string[] {
  return plugins.flatMap(({ row: { id }, principals }) =>
    principals.filter(({ grants }) => grants.bus.publish.includes(name)).map(({ row }) => `${id}/${row.id}`),
  );
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
  plugins: readonly WithPrincipals[],
  dynamic: readonly StoredSubscription[],
): SubjectTrie<TopicSubscriber> {
  const trie = new SubjectTrie<TopicSubscriber>((a, b) =>
    a.plugin < b.plugin ? -1 : a.plugin > b.plugin ? 1 : 0,
  );
  const made = Map.groupBy(dynamic, ({ plugin }) => plugin);
  for (const plugin of plugins) {
    const { row, manifest, principals } = plugin;
    const rights = [manifest.permissions, plugin.grants];
    if (row.state !== 'enabled' && row.state !== 'quarantined') continue;
    const own = new Set(manifest.buttons.map(({ event }) => event));
    for (const { event, ...rest } of manifest.subscribes) {
      const { pattern, version } = parseSubscriptionEvent(event);
      if (own.has(pattern)) continue;
      file(trie, rights, { ...rest, plugin: row.id, subscription: event, pattern, version, dynamic: false });
    }
    for (const { subscription } of made.get(row.id) ?? []) {
      const { name, as, ...rest } = subscription;
      const made = { ...rest, plugin: row.id, subscription: name, dynamic: true };
      if (as === undefined) file(trie, rights, made);
      else
        for (const { row: of, asked, grants } of principals)
          if (of.id === as) file(trie, [asked, grants], { ...made, principal: as });
    }
  }
  return trie;
}

function file(
  trie: SubjectTrie<TopicSubscriber>,
  rights: readonly Permissions[],
  made: TopicSubscriber,
): void {
  const allowed = rights.every(({ bus }) => bus.subscribe.some((outer) => covers(outer, made.pattern)));
  if (allowed) trie.add(made.pattern, made);
}
