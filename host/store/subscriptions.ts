import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { NeiraError } from '../errors.ts';
import type { SubscriptionDraft } from './bus-records.ts';
import type { MailboxPolicies } from './mailbox-policies.ts';

/** Subscriptions that one plugin may have beside those of its manifest. */
export const MAX_SUBSCRIPTIONS = 10_000;

/** What plugins subscribe to while they run: durable, and in force with the commit that says so. */
export class SubscriptionWriter {
  readonly #policies: MailboxPolicies;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;
  readonly #count: StatementSync;

  constructor(db: DatabaseSync, policies: MailboxPolicies) {
    this.#policies = policies;
    this.#put = db.prepare(
      `insert into subscription(plugin, name, draft) values(?, ?, ?)
       on conflict do update set draft = excluded.draft`,
    );
    this.#delete = db.prepare('delete from subscription where plugin = ? and name = ?');
    this.#count = db.prepare('select count(*) as count from subscription where plugin = ?');
  }

  /** @throws NEIRA_TOO_MANY */
  put(plugin: string, subscription: SubscriptionDraft): void {
    this.#put.run(plugin, subscription.name, JSON.stringify(subscription));
    if (Number(this.#count.get(plugin)!['count']) > MAX_SUBSCRIPTIONS)
      throw new NeiraError('NEIRA_TOO_MANY', { plugin, what: 'subscriptions', max: MAX_SUBSCRIPTIONS });
    this.#policies.subscribe(plugin, subscription);
  }

  delete(plugin: string, name: string): void {
    if (this.#delete.run(plugin, name).changes > 0) this.#policies.unsubscribe(plugin, name);
  }
}
