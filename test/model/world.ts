/**
 * One history from its beginning to the end: a host on one database that dies and comes back, what is done to it,
 * and the look at every place where an effect should be, once or not at all.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { AdminWriter } from '../../host/store/admin.ts';
import type { EventCaller, PublishRecord } from '../../host/store/bus-records.ts';
import { migrate } from '../../host/store/migrations.ts';
import { RecipeWriter } from '../../host/store/recipes.ts';
import type { AdminRecord } from '../../host/store/records.ts';
import { seededRandom } from '../../host/store/test-store.ts';
import { opened, type Publication, sealed } from './events.ts';
import type { History, Op } from './history.ts';
import { Oracle, type PluginState, require_ } from './oracle.ts';
import { PLUGINS, registration } from './plugins.ts';
import { ModelProcess } from './process.ts';
import { VirtualTime } from './virtual-time.ts';

/** What settles at all does so within this; retries, parked turns and the host's own rests included. */
const MAX_SETTLING_MS = 20 * 60_000;
const UNLIMITED_PAGES = 0x7fff_ffff;

/**
 * The one database of all histories, in memory: what they show is logic, the disk has tests of its own. Emptied
 * rather than opened anew, with its statements kept, since to prepare them takes longer than most histories.
 */
let database: DatabaseSync | undefined;

function emptyDatabase(): DatabaseSync {
  if (!database) {
    const db = new DatabaseSync(':memory:');
    migrate(db, ':memory:');
    const prepared = new Map<string, StatementSync>();
    const prepare = db.prepare.bind(db);
    db.prepare = (sql) => {
      const statement = prepared.get(sql) ?? prepare(sql);
      prepared.set(sql, statement);
      return statement;
    };
    database = db;
  }
  if (database.isTransaction) database.exec('rollback');
  database.exec(`pragma max_page_count = ${UNLIMITED_PAGES}`);
  const tables = database.prepare(
    `select name from sqlite_schema where type = 'table' and name not like 'record_text%'`,
  );
  for (const { name } of tables.all()) database.exec(`delete from ${name as string}`);
  return database;
}

export interface Ran {
  readonly crashes: number;
  readonly published: number;
  readonly handled: number;
  readonly dead: number;
}

class World implements Disposable {
  readonly #db = emptyDatabase();
  readonly #home: string;
  readonly #time: VirtualTime;
  readonly #random: (below: number) => number;
  readonly #oracle: Oracle;
  #process: ModelProcess;
  #mode: 'normal' | 'safe' = 'normal';
  #events = 0;
  #crashes = 0;
  #deciding = false;
  /** Events that a client was told are kept. */
  readonly #acknowledged: string[] = [];
  /** What went out and was not answered. */
  readonly #open = new Set<PublishRecord>();

  constructor({ seed }: History, home: string) {
    this.#home = home;
    this.#random = seededRandom(seed);
    this.#time = new VirtualTime(seed ^ 0x5bd1_e995);
    this.#oracle = new Oracle(() => this.#time.nowMs);
    const ops = PLUGINS.flatMap((plugin) => registration(plugin, 'enabled', 0));
    const record: AdminRecord = { kind: 'admin', ops, journal: [] };
    new AdminWriter(this.#db, new RecipeWriter(this.#db, home)).apply(record);
    this.#oracle.committed([record], [{ ok: true }], { deliveries: [] });
    this.#process = this.#boot();
  }

  #boot(): ModelProcess {
    return new ModelProcess({
      db: this.#db,
      home: this.#home,
      time: this.#time,
      random: this.#random,
      mode: () => this.#mode,
      committed: (records, acks, news) => this.#oracle.committed(records, acks, news),
    });
  }

  async do(op: Op): Promise<void> {
    switch (op.op) {
      case 'publish':
        return this.#publish(op);
      case 'burst':
        for (let n = 0; n < op.count; n++)
          this.#publish({ op: 'publish', events: [op.event], admin: false, keyed: false });
        return;
      case 'ui':
        return this.#ui(op.plugin, op.event);
      case 'steps':
        return this.#steps(op.count);
      case 'time':
        for (let n = 0; n < op.timers; n++) {
          await this.#time.pass();
          await this.#steps(2);
        }
        return;
      case 'sleep':
        return this.#time.advance(op.ms);
      case 'kill-cell':
        return this.#process.killCell(op.cell);
      case 'crash':
        if (op.unheard) this.#process.commitUnheard();
        this.#crashes++;
        return this.#restart();
      case 'plugin': {
        const state = op.to === 'reloaded' ? this.#process.stateOf(op.plugin) : op.to;
        return this.#process.change(op.plugin, state ?? 'enabled');
      }
      case 'mode':
        if (this.#mode === op.mode) return;
        this.#mode = op.mode;
        return this.#process.mailboxes.wakeAll();
      case 'letters':
        return this.#decide(op);
      case 'disk':
        return this.#fillDisk(op.full);
    }
  }

  #restart(): void {
    this.#time.forget();
    this.#process = this.#boot();
    this.#deciding = false;
    // Who had no answer asks again, when it is able to say that it is the same.
    const again = [...this.#open].filter(({ events }) => events[0]!.dedupe !== undefined);
    this.#open.clear();
    for (const record of again) {
      const events = record.events.map((event) => ({ ...event, id: `${event.id}'` }));
      this.#send({ ...record, events });
    }
  }

  // --- clients

  #publish({ events, admin, keyed }: Extract<Op, { op: 'publish' }>): void {
    const caller: EventCaller = admin ? 'admin' : 'write';
    const drafts = events.map((event) => {
      const id = `e${++this.#events}`;
      const draft = sealed(id, event, this.#time.nowMs, caller);
      return keyed ? { ...draft, dedupe: id } : draft;
    });
    // One key stands for one event, or it could be that half of a record is known.
    this.#send({ kind: 'publish', events: keyed ? drafts.slice(0, 1) : drafts });
  }

  #send(record: PublishRecord): void {
    this.#open.add(record);
    void this.#process.submit(record).then((ack) => {
      this.#open.delete(record);
      if (!ack.ok) return;
      const kept = ack.duplicateOf === undefined ? record.events.map(({ id }) => id) : [ack.duplicateOf];
      this.#acknowledged.push(...kept);
    });
  }

  #ui(plugin: string, publication: Publication): void {
    const id = `u${++this.#events}`;
    const caller = 'admin';
    const { envelope } = sealed(id, publication, this.#time.nowMs, caller);
    const subject = publication.subject === 'shop.note' ? 'shop.note' : 'shop.order';
    const key = opened(envelope).payload.key;
    const handled = this.#process.ui(plugin, { eventId: id, subject, envelope, key, caller });
    handled?.then(
      (result) => {
        if (result.kind === 'committed') this.#acknowledged.push(id);
      },
      () => {},
    );
  }

  // --- administrators

  #decide({ what, count }: Extract<Op, { op: 'letters' }>): void {
    if (this.#deciding) return;
    const rows = this.#db
      .prepare('select id, plugin, event_id as eventId, attempts from dead_letter order by id limit ?')
      .all(count) as { id: number; plugin: string; eventId: string; attempts: number }[];
    if (rows.length === 0) return;
    for (const { id, ...letter } of rows) this.#oracle.letters.set(id, letter);
    this.#deciding = true;
    void this.#process
      .submit({ kind: 'dead-letters', op: what, ids: rows.map(({ id }) => id), journal: [] })
      .then(() => {
        this.#deciding = false;
      });
  }

  #fillDisk(full: boolean): void {
    const pages = full ? Number(this.#db.prepare('pragma page_count').get()!['page_count']) : UNLIMITED_PAGES;
    this.#db.exec(`pragma max_page_count = ${pages}`);
  }

  // --- time

  async #steps(count: number): Promise<void> {
    for (let n = 0; n < count; n++) if (!(await this.#process.step())) return;
  }

  /** Until nothing moves and nothing that can be done waits for its time. */
  async #settle(): Promise<void> {
    const untilMs = this.#time.nowMs + MAX_SETTLING_MS;
    for (;;) {
      while (await this.#process.step());
      if (this.#isSettled()) return;
      require_(this.#time.nowMs < untilMs, 'what waits is handled in the end', this.#what());
      await this.#time.pass();
    }
  }

  #isSettled(): boolean {
    const { inHand, pending } = this.#process.left;
    const states = [...this.#oracle.plugins.values()];
    const runs = ({ plugin }: PluginState) => this.#process.stateOf(plugin.id) === 'enabled';
    const waits = states.some((state) => state.waiting.length > 0 && runs(state));
    // The full mailbox of one that does not run may hold up a delayed event for as long.
    const due = this.#oracle.delayed.size > 0 && states.every(runs);
    return inHand + pending === 0 && !waits && !due && !this.#process.isChanging;
  }

  #what() {
    const waiting = [...this.#oracle.plugins.values()].flatMap(({ plugin, waiting: entries }) =>
      entries.length > 0 ? [{ plugin: plugin.id, state: this.#process.stateOf(plugin.id), entries }] : [],
    );
    return { ...this.#process.left, waiting, delayed: [...this.#oracle.delayed.keys()] };
  }

  /** Misfortune ends, and everything is done that can be; then what was disabled comes back. */
  async end(): Promise<Ran> {
    this.#fillDisk(false);
    // Nobody wakes a mailbox that has no reason to be woken: one that was forgotten shows.
    if (this.#mode === 'safe') await this.do({ op: 'mode', mode: 'normal' });
    await this.#settle();
    this.#check();
    for (let rounds = 0; this.#enableAll() && rounds < 1000; rounds++) await this.#settle();
    this.#check();
    const states = [...this.#oracle.plugins.values()];
    require_(
      states.every(({ waiting }) => waiting.length === 0),
      'nothing waits in the end',
      this.#what(),
    );
    return {
      crashes: this.#crashes,
      published: this.#oracle.published.length,
      handled: states.reduce((sum, { seen }) => sum + seen.length, 0),
      dead: states.reduce((sum, { dead }) => sum + dead.length, 0),
    };
  }

  #enableAll(): boolean {
    const resting = PLUGINS.filter(({ id }) => this.#process.stateOf(id) !== 'enabled');
    for (const { id } of resting) this.#process.change(id, 'enabled');
    return resting.length > 0;
  }

  // --- what the database says

  #check(): void {
    const { published, handledDirectly } = this.#oracle;
    const events = this.#column('select event_id from event order by seq');
    require_(same(events, published), 'every event is recorded once, in order', { events, published });
    const known = new Set([...published, ...this.#oracle.delayed.keys()]);
    const lost = this.#acknowledged.filter((id) => !known.has(id) && !handledDirectly.has(id));
    require_(lost.length === 0 || this.#wereCancelled(lost), 'what was acknowledged is kept', lost);
    for (const { plugin, waiting, seen, dead, counted } of this.#oracle.plugins.values()) {
      const { id } = plugin;
      const log = this.#column(`select value from kv where plugin = ? and k like 'seen/%' order by k`, id);
      const handled = log.map((value) => JSON.parse(value) as string);
      require_(same(handled, seen), 'effects are those of the turns that stand, in order', {
        id,
        handled,
        seen,
      });
      require_(new Set(handled).size === handled.length, 'an event is handled once', { id, handled });
      const inBox = this.#column(
        `select e.event_id from delivery d join event e on e.seq = d.event_seq where d.plugin = ? order by d.id`,
        id,
      );
      const expected = waiting.map(({ eventId }) => eventId);
      require_(same(inBox, expected), 'what waits is in its mailbox', { id, inBox, expected });
      const letters = this.#column('select event_id from dead_letter where plugin = ?', id).sort();
      const given = dead.map(({ eventId }) => eventId).sort();
      require_(same(letters, given), 'what was given up is a dead letter', { id, letters, given });
      const [count = '0'] = this.#column(`select value from kv where plugin = ? and k = 'count'`, id);
      require_(Number(count) === counted, 'a number is read and written by one at a time', {
        id,
        count,
        counted,
      });
    }
    const { left } = this.#process;
    const empty = Object.values(left).every((count) => count === 0);
    require_(empty, 'nothing of it is left in memory', left);
  }

  /** A delayed event that was acknowledged may have been taken back; clients have no such events. */
  #wereCancelled(ids: readonly string[]): boolean {
    return ids.length === 0;
  }

  #column(sql: string, ...values: string[]): string[] {
    return this.#db
      .prepare(sql)
      .all(...values)
      .map((row) => String(Object.values(row)[0]));
  }

  [Symbol.dispose](): void {
    this.#time[Symbol.dispose]();
  }
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index]);
}

/** Runs a history. @param home folder for what the store would write beside its database */
export async function live(history: History, home: string): Promise<Ran> {
  using world = new World(history, home);
  for (const op of history.ops) await world.do(op);
  return await world.end();
}
