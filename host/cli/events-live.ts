import { once } from 'node:events';
import { text as readAll } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { toCloudEvent } from '../bus/cloud-events.ts';
import type { Envelope } from '../bus/envelope.ts';
import { type Client, Refused } from './client.ts';
import { run, type Session } from './command.ts';
import { addDeadLetters } from './dead-letters.ts';
import { follow } from './event-follow.ts';
import {
  type EventName,
  type EventPattern,
  readFuture,
  readHeader,
  readName,
  readPast,
  readPattern,
  readPlace,
  readPositive,
} from './event-options.ts';
import { plain, tint } from './output.ts';

/** Adds what asks a running host to `neira events` (BUS-27). */
export function addLiveEvents(events: Command): void {
  events
    .command('tail')
    .description('follow what is published, until Ctrl-C; after a lost connection it goes on where it was')
    .option('--subject <pattern>', 'only these, as `order.>`')
    .option('--since <time>', 'begin there: a time, or a span before now as 10m', readPast)
    .option('--after <place>', 'begin behind the event with this place', readPlace)
    .option('--cloudevents', 'each as a CloudEvent 1.0, a line of JSON')
    .action(run(tail));
  events
    .command('subscribe')
    .argument('<pattern>', 'as `order.*` or `order.placed@1`', readPattern)
    .description('print the payload of each live event as one line of JSON')
    .option('--count <events>', 'end after so many', readPositive)
    .option('--since <time>', 'begin there: a time, or a span before now as 10m', readPast)
    .option('--after <place>', 'begin behind the event with this place', readPlace)
    .action(run(subscribe));
  events
    .command('publish')
    .argument('<event>', 'its name, as `order.placed` or `order.placed@2`', readName)
    .argument('<payload>', 'as JSON, or - to read it from stdin')
    .description('publish an event')
    .option('--header <name=value>', 'a header; may be given more than once', readHeader)
    .option('--key <key>', 'an idempotency key: a second event with it is dropped for a day')
    .option('--at <time>', 'not before: a time, or a span from now as 10m', readFuture)
    .option('--broadcast', 'also to each member of a queue group')
    .action(run(publish));
  events
    .command('topics')
    .description('what may be published, by whom, and who hears it')
    .action(run(topics));
  events
    .command('replay')
    .description('publish recorded events again, marked as replays')
    .requiredOption('--since <time>', 'from there on: a time, or a span before now as 10m', readPast)
    .option('--until <time>', 'up to there', readPast)
    .option('--subject <pattern>', 'only these, as `order.>`')
    .action(run(replay));
  addDeadLetters(events);
}

interface Range {
  readonly subject?: string;
  readonly since?: string;
  readonly after?: string;
}

async function tail(
  { out, host }: Session,
  { cloudevents, ...range }: Range & { cloudevents?: true },
): Promise<void> {
  const client = await host();
  await eachEvent(client, range, out.remark, (envelope) => {
    if (cloudevents) return JSON.stringify(toCloudEvent(envelope));
    return out.json ? JSON.stringify(envelope) : lineOf(envelope);
  });
}

async function subscribe(
  { out, host }: Session,
  { pattern, version }: EventPattern,
  { count = Number.POSITIVE_INFINITY, ...range }: Range & { count?: number },
): Promise<void> {
  const client = await host();
  await eachEvent(
    client,
    { ...range, subject: pattern },
    out.remark,
    (envelope) =>
      version === undefined || envelope.version === version ? JSON.stringify(envelope.payload) : undefined,
    count,
  );
}

/** Prints a line for each event that has one, until so many lines, or until the user ends it. */
async function eachEvent(
  client: Client,
  range: Range,
  remark: (text: string) => void,
  lineOf: (envelope: Envelope) => string | undefined,
  count = Number.POSITIVE_INFINITY,
): Promise<void> {
  const end = new AbortController();
  const stop = () => end.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  let left = count;
  const lost = () => remark('The connection was lost; it goes on as soon as the host answers.');
  try {
    for await (const envelope of follow(client, { ...range, signal: end.signal, lost })) {
      const line = lineOf(envelope);
      if (line === undefined) continue;
      if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain');
      if (--left <= 0) break;
    }
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

/** On a terminal one row; what of the payload does not fit is behind `--json`. */
function lineOf({ ts, event_name: name, version, id, source, payload }: Envelope): string {
  const head = [ts, `${name}@${version}`, id, source].map(plain);
  const [at, event, ...rest] = head as [string, string, string, string];
  const room = process.stdout.isTTY
    ? Math.max(process.stdout.columns - head.join(' ').length - 1, 10)
    : undefined;
  const shown = plain(JSON.stringify(payload));
  const fitting = room !== undefined && shown.length > room ? `${shown.slice(0, room - 1)}…` : shown;
  return `${tint('faint', at)} ${tint('strong', event)} ${tint('faint', rest.join(' '))} ${fitting}`;
}

interface PublishOptions {
  readonly header?: Readonly<Record<string, string>>;
  readonly key?: string;
  readonly at?: string;
  readonly broadcast?: true;
}

async function publish(
  session: Session,
  { name, version }: EventName,
  text: string,
  { header, key, at, broadcast }: PublishOptions,
): Promise<void> {
  const payload = readPayload(session, text === '-' ? await readAll(process.stdin) : text);
  const headers = { ...header, ...(key !== undefined && { idempotency_key: key }) };
  const { out } = session;
  const answer = await (await session.host()).send<{ event_id: string; duplicate?: true; warning?: string }>(
    'POST',
    '/api/neira/events',
    {
      event_name: name,
      version,
      payload,
      ...(Object.keys(headers).length > 0 && { headers }),
      ...(at !== undefined && { at }),
      ...(broadcast && { broadcast }),
    },
  );
  out.result(answer, () => out.line(answer.event_id));
  if (answer.duplicate) out.remark('An event with this key was published before; nothing was done.');
  if (answer.warning !== undefined)
    out.remark(`${tint('warn', 'warning:', process.stderr)} ${plain(answer.warning)}`);
}

function readPayload(session: Session, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return session.usage(`the payload is not JSON: ${plain((error as Error).message)}`);
  }
}

interface Topic {
  readonly fqdn: string;
  readonly kind: string;
  readonly status: string;
  readonly summary: string;
  readonly owner: string;
  readonly publishers: readonly string[];
  readonly subscribers: readonly { readonly plugin: string }[];
  readonly subscriber_count: number;
  readonly waiting: number;
}

async function topics({ out, host }: Session): Promise<void> {
  const body = await (await host()).get<{ topics: Topic[] }>('/api/neira/events/topics');
  out.result(body, () => {
    if (body.topics.length === 0) return out.remark('No event is registered; they come with plugins.');
    out.table(
      ['event', 'kind', 'status', 'owner', 'published by', 'heard by', 'waiting', 'what it is'],
      body.topics.map((topic) => [
        topic.fqdn,
        topic.kind,
        topic.status === 'deprecated' ? tint('warn', topic.status) : topic.status,
        topic.owner,
        topic.publishers.join(' '),
        [...new Set(topic.subscribers.map(({ plugin }) => plugin))].join(' '),
        String(topic.waiting),
        plain(topic.summary),
      ]),
    );
  });
}

interface Replayed {
  readonly replayed: number;
  readonly skipped: number;
  readonly refused: readonly { event_id: string; event_name: string; code: string; message: string }[];
  readonly refused_count: number;
  readonly next: number | null;
}

/** How often, and how far apart, a replay asks again while a mailbox stays full. */
const FULL_TRIES = 60;
const FULL_WAIT_MS = 1000;
const MAX_REFUSED_SHOWN = 100;

async function replay({ out, host }: Session, range: Range & { until?: string }): Promise<void> {
  const client = await host();
  // Fixed at the start, so that what is published meanwhile is none of it.
  const until = range.until ?? new Date().toISOString();
  const total = { replayed: 0, skipped: 0, refused: [] as Replayed['refused'][number][], refused_count: 0 };
  for (let after: number | null = 0; after !== null; ) {
    const { next, ...part }: Replayed = await replayPart(client, { ...range, until, after });
    total.replayed += part.replayed;
    total.skipped += part.skipped;
    total.refused_count += part.refused_count;
    total.refused.push(...part.refused.slice(0, MAX_REFUSED_SHOWN - total.refused.length));
    after = next;
    if (next !== null && process.stderr.isTTY) out.remark(`${total.replayed} replayed so far`);
  }
  out.result(total, () =>
    out.line(
      `${total.replayed} events are published again; ${total.skipped} were skipped: those of the host, replays, and what did not come over the bus.`,
    ),
  );
  if (total.refused_count === 0) return;
  out.remark(
    `${tint('bad', 'refused:', process.stderr)} ${total.refused_count} are no valid events any more`,
  );
  for (const { event_id, code, message } of total.refused)
    out.remark(`  ${plain(event_id)}: ${plain(message)} (${code})`);
  process.exitCode = 1;
}

async function replayPart(client: Client, body: object): Promise<Replayed> {
  for (let tries = 1; ; tries++) {
    try {
      return await client.send<Replayed>('POST', '/api/neira/events/replay', body);
    } catch (error) {
      const isFull = error instanceof Refused && error.problem.code === 'NEIRA_MAILBOX_FULL';
      if (!isFull || tries >= FULL_TRIES) throw error;
      await sleep(FULL_WAIT_MS);
    }
  }
}
