import { existsSync, renameSync, rmSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { NeiraError } from '../errors.ts';
import { fault } from './fault.ts';

/**
 * The schema, as the steps that led to it; `pragma user_version` counts the steps that a home has taken.
 * A step that was released is never edited: what comes later is another step.
 */
export const MIGRATIONS: readonly string[] = [
  `
  create table plugin(
    id text primary key, kind text not null, state text not null, digest text not null, path text not null,
    origin text not null, source_digest text not null, grants text not null, settings text not null,
    reason text, last_error text, registered_at_ms integer not null, updated_at_ms integer not null
  ) without rowid;

  -- seq orders the versions of a plugin by when they were put, the newest highest.
  create table version(
    seq integer primary key autoincrement, plugin text not null, digest text not null, version text not null,
    manifest text not null, files text not null, bundle text not null, source_map text not null,
    created_at_ms integer not null, signed_by text, unique(plugin, digest)
  );
  create table blob(digest text primary key, bytes blob not null);
  -- Which version names which blob: a blob lives as long as one does.
  create table version_blob(
    blob text not null, plugin text not null, version text not null, primary key(blob, plugin, version)
  ) without rowid;
  create index version_blob_version on version_blob(plugin, version);

  create table gate(
    id text primary key, stage text not null, since_ms integer not null, declared_by text, declaration text
  ) without rowid;
  create table token(
    id text primary key, name text not null, hash text not null, scopes text not null,
    created_at_ms integer not null, expires_at_ms integer, revoked_at_ms integer
  ) without rowid;
  create table setting(name text primary key, value text not null) without rowid;

  create table kv(
    plugin text not null, k text not null, version integer not null, value text not null, primary key(plugin, k)
  ) without rowid;
  -- bytes: what the plugin holds; kv_version: the version that its last writing turn gave.
  create table usage(plugin text primary key, bytes integer not null, kv_version integer not null) without rowid;

  create table turn(
    turn_id text primary key, plugin text not null, digest text not null, gate text not null,
    event_id text not null, status text not null, outcome text not null, started_at_ms integer not null,
    run_ms real not null, fuel integer not null
  ) without rowid;
  create table event(
    seq integer primary key autoincrement, event_id text not null, subject text not null,
    disposition text not null, at_ms integer not null, turn_id text, envelope text not null
  );
  create index event_subject on event(subject, seq);
  create table idempotency(
    key text primary key, digest text not null, reply text not null, expires_at_ms integer not null
  ) without rowid;
  create index idempotency_expiry on idempotency(expires_at_ms);
  -- Port sends that a commit promised and nobody has confirmed yet.
  create table send(
    seq integer primary key autoincrement, id text not null unique, turn_id text not null, plugin text not null,
    port text not null, target text not null, payload text not null, at_ms integer not null
  );
  create table failure(
    seq integer primary key autoincrement, plugin text not null, turn_id text not null, digest text not null,
    event_id text not null, at_ms integer not null, error text not null, envelope text not null, reads text
  );
  create index failure_plugin on failure(plugin, seq);
  create table log(
    seq integer primary key autoincrement, plugin text not null, turn_id text not null, level text not null,
    message text not null, at_ms integer not null
  );
  create index log_plugin on log(plugin, seq);
  create table stat(
    plugin text not null, gate text not null, day text not null, turns integer not null,
    failures integer not null, dry_runs integer not null, fuel integer not null, run_ms real not null,
    primary key(plugin, gate, day)
  ) without rowid;

  -- A file below the home that shows rows. size: where the next line goes. synced: bytes that are surely on
  -- disk, and the file's change time then (null when it was written since), see repair.ts.
  create table file(
    id integer primary key, path text not null unique, kind text not null, size integer not null,
    synced integer not null, mtime_ms real
  );
  create table record(
    seq integer primary key autoincrement, type text not null, plugin text not null, chat text not null,
    session text not null, id text not null, line text not null, file integer not null, offset integer not null,
    bytes integer not null, at_ms integer not null
  );
  create index record_file on record(file, offset);
  create index record_place on record(chat, session, seq);
  create table record_file_name(
    type text not null, chat text not null, session text not null, file integer not null,
    primary key(type, chat, session)
  ) without rowid;
  create virtual table record_text using fts5(
    text, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 2', prefix='2 4'
  );

  create table journal(
    seq integer primary key, meta text not null unique, line text not null, file integer not null,
    offset integer not null
  );
  create index journal_file on journal(file, offset);
  create trigger journal_no_update before update on journal
    begin select raise(abort, 'the journal is append-only'); end;
  create trigger journal_no_delete before delete on journal
    begin select raise(abort, 'the journal is append-only'); end;
  `,
  `
  alter table event add column version integer not null default 1;
  -- Whose doing it is, along everything that it caused.
  alter table event add column caller text not null default 'host';
  -- Digest of the schema that it was published under; null for what has none.
  alter table event add column schema text;
  create index event_at on event(at_ms);

  -- What a plugin subscribed to while it ran; what its manifest says is in its version.
  create table subscription(
    plugin text not null, name text not null, draft text not null, primary key(plugin, name)
  ) without rowid;
  -- A mailbox: what waits for a plugin. tries_from: attempts when its tries were last counted anew.
  create table delivery(
    id integer primary key autoincrement, event_seq integer not null, plugin text not null, key text,
    subscriptions text not null, attempts integer not null, tries_from integer not null,
    kills integer not null default 0, due_ms integer not null, at_ms integer not null,
    request integer, chain text, deadline_ms integer
  );
  create unique index delivery_request on delivery(request) where request is not null;
  -- What a turn asked another plugin, until the delivery that asked is settled; answer: V<json>, U or E<refusal>.
  create table request(
    id integer primary key autoincrement, caller text not null, digest text not null, occurrence integer not null,
    deadline_ms integer not null, answer text, unique(caller, digest, occurrence)
  );
  create index delivery_plugin on delivery(plugin, id);
  create index delivery_event on delivery(event_seq);
  create table dead_letter(
    id integer primary key autoincrement, plugin text not null, event_seq integer not null, event_id text not null,
    subject text not null, version integer not null, caller text not null, key text, subscriptions text not null,
    attempts integer not null, error text not null, published_at_ms integer not null, at_ms integer not null,
    envelope text not null
  );
  create index dead_letter_plugin on dead_letter(plugin, id);
  create table delayed(
    id text primary key, due_ms integer not null, plugin text, turn_id text, draft text not null
  ) without rowid;
  create index delayed_due on delayed(due_ms, id);
  create index delayed_plugin on delayed(plugin);
  `,
  `
  -- Events that leave for other hubs, until one has them.
  create table outbox(seq integer primary key autoincrement, event_seq integer not null, mode text not null);
  `,
  `
  -- What turns ran on: policy, engine, image and code, by the digest that transcripts name. The blobs of code are
  -- held in version_blob by \`recipe:<digest>\`.
  create table recipe(
    digest text primary key, plugin text not null, version text not null, body text not null, at_ms integer not null
  ) without rowid;
  create index recipe_plugin on recipe(plugin, at_ms);
  -- From which a failed turn can be run again, and what it ran on; null when it was too large to keep.
  alter table failure add column transcript text;
  alter table failure add column recipe text;
  create index failure_turn on failure(turn_id);
  `,
  `
  -- On whose behalf plugins act beside themselves. seq rises with every change and is never used again.
  create table principal(
    seq integer primary key autoincrement, plugin text not null, id text not null, title text not null, digest text,
    asked text not null, grants text not null, registered_at_ms integer not null, updated_at_ms integer not null,
    unique(plugin, id)
  );
  alter table log add column principal text;
  `,
  `
  -- Port sends whose moment has not come; seq keeps the order of those that are due at the same.
  create table delayed_send(
    seq integer primary key autoincrement, id text not null unique, due_ms integer not null, plugin text not null,
    turn_id text not null, port text not null, target text not null, payload text not null
  );
  create index delayed_send_due on delayed_send(due_ms, seq);
  create index delayed_send_plugin on delayed_send(plugin);
  `,
  `
  -- What a turn asked over HTTP, until its delivery is settled; answer: V<json> or E<refusal>, null while nobody knows.
  -- delivery: of a mailbox, null for a UI event. passing: forgotten when the turn throws. bytes: of the answer.
  create table http_request(
    id integer primary key autoincrement, caller text not null, digest text not null, occurrence integer not null,
    plugin text not null, delivery integer, at_ms integer not null, answer text,
    passing integer not null default 0, bytes integer not null default 0, unique(caller, digest, occurrence)
  );
  create index http_request_plugin on http_request(plugin, bytes);
  create index http_request_at on http_request(at_ms);
  `,
  `
  -- Secrets as ciphertext; their key is a file of the home or a setting of the environment.
  create table secret(
    name text primary key, version integer not null, sealed text not null, created_at_ms integer not null,
    set_at_ms integer not null
  ) without rowid;
  -- JSON pointers to what is personal in the value, in the line.
  alter table kv add column pii text;
  alter table record add column pii text;
  `,
  `
  -- Who delayed it, where that was a principal.
  alter table delayed_send add column principal text;
  `,
  `
  -- A command whose answer comes to \`plugin\` as an event; asked: JSON of what the answer needs. Null for a turn's request.
  alter table request add column plugin text;
  alter table request add column principal text;
  alter table request add column asked text;
  create index request_asked on request(deadline_ms) where asked is not null;
  create index request_plugin on request(plugin) where plugin is not null;
  `,
  `
  -- How much each plugin has delayed, so that nobody has to count.
  create table delayed_load(plugin text primary key, events integer not null, chars integer not null) without rowid;
  insert into delayed_load
    select plugin, count(*), sum(length(draft)) from delayed where plugin is not null group by plugin;
  create trigger delayed_added after insert on delayed when new.plugin is not null begin
    insert into delayed_load values(new.plugin, 1, length(new.draft))
      on conflict(plugin) do update set events = events + 1, chars = chars + excluded.chars;
  end;
  create trigger delayed_gone after delete on delayed when old.plugin is not null begin
    update delayed_load set events = events - 1, chars = chars - length(old.draft) where plugin = old.plugin;
  end;
  `,
];

/**
 * Brings the database to the newest schema, each step in a transaction of its own. A home that holds
 * something is copied to `<path>.backup-v<n>` before its first step.
 * @throws NEIRA_HOME_NEWER when a newer Neira wrote it; nothing is touched then.
 */
export function migrate(db: DatabaseSync, path: string, migrations: readonly string[] = MIGRATIONS): void {
  const found = (db.prepare('pragma user_version').get() as { user_version: number }).user_version;
  const known = migrations.length;
  if (found > known) throw new NeiraError('NEIRA_HOME_NEWER', { found, known });
  if (found === known) return;
  if (found > 0) {
    backUp(db, `${path}.backup-v${found}`);
    fault('migrate.after-backup');
  }
  migrations.slice(found).forEach((step, index) => {
    db.exec('begin immediate');
    try {
      db.exec(step);
      db.exec(`pragma user_version = ${found + index + 1}`);
      db.exec('commit');
    } catch (error) {
      if (db.isTransaction) db.exec('rollback');
      throw error;
    }
  });
}

/** A consistent copy of the database, complete or not there at all. An older copy of that name is replaced. */
export function backUp(db: DatabaseSync, target: string): void {
  const unfinished = `${target}.unfinished`;
  if (existsSync(unfinished)) rmSync(unfinished);
  db.prepare('vacuum into ?').run(unfinished);
  renameSync(unfinished, target);
}
