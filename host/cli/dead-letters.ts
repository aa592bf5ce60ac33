import { once } from 'node:events';
import type { Command } from 'commander';
import { run, type Session } from './command.ts';
import { readIds, readPositive } from './event-options.ts';
import { plain } from './output.ts';
import { readCount } from './plugin.ts';

interface DeadLetter {
  readonly id: number;
  readonly plugin: string;
  readonly event_id: string;
  readonly event_name: string;
  readonly version: number;
  readonly key: string | null;
  readonly subscriptions: readonly string[];
  readonly attempts: number;
  readonly error: { readonly code: string; readonly message: string; readonly stack?: string };
  readonly published_at: string;
  readonly at: string;
  readonly envelope: { readonly payload: unknown };
}

interface Filter {
  readonly plugin?: string;
  readonly subject?: string;
}

const ALL = '/api/neira/dead-letters';

/** `events dlq …`: deliveries that were given up (BUS-16, BUS-27). */
export function addDeadLetters(events: Command): void {
  const dlq = events.command('dlq').description('dead letters: list, show, retry, drop and export them');
  filtered(dlq.command('list'))
    .description('the oldest first')
    .option('--limit <letters>', 'at most this many', readCount, 100)
    .action(run(list));
  dlq
    .command('show')
    .argument('<id>', 'its number', readPositive)
    .description('one of them, with its error and payload')
    .action(run(show));
  chosen(dlq.command('retry'))
    .description('put them back into their mailboxes, with all their tries')
    .action(run((session, ids: Ids, choice: Choice) => change(session, 'retry', ids, choice)));
  chosen(dlq.command('drop'))
    .description('delete them')
    .action(run((session, ids: Ids, choice: Choice) => change(session, 'drop', ids, choice)));
  filtered(dlq.command('export'))
    .description('write all of them to stdout, one JSON document a line')
    .action(run(exportLines));
}

type Ids = readonly number[] | undefined;
type Choice = Filter & { readonly all?: true };

function filtered(command: Command): Command {
  return command
    .option('--plugin <id>', 'only of this plugin')
    .option('--subject <pattern>', 'only of these events, as `order.>`');
}

function chosen(command: Command): Command {
  return filtered(command.argument('[ids...]', 'their numbers', readIds)).option(
    '--all',
    'all that there are',
  );
}

function queryOf(filter: Filter): URLSearchParams {
  const query = new URLSearchParams();
  for (const name of ['plugin', 'subject'] as const) {
    const value = filter[name];
    if (value !== undefined) query.set(name, value);
  }
  return query;
}

async function list({ out, host }: Session, { limit, ...filter }: Filter & { limit: number }): Promise<void> {
  const query = queryOf(filter);
  query.set('limit', String(limit));
  const body = await (await host()).get<{ dead_letters: DeadLetter[]; next: number | null }>(
    `${ALL}?${query}`,
  );
  out.result(body, () => {
    if (body.dead_letters.length === 0) return out.remark('There is no dead letter.');
    out.table(
      ['id', 'given up', 'plugin', 'event', 'attempts', 'code', 'what'],
      body.dead_letters.map((letter) => [
        String(letter.id),
        letter.at,
        plain(letter.plugin),
        `${plain(letter.event_name)}@${letter.version}`,
        String(letter.attempts),
        letter.error.code,
        plain(letter.error.message),
      ]),
    );
    if (body.next !== null) out.remark('There is more; `neira events dlq export` gives all of it.');
  });
}

async function show({ out, host }: Session, id: number): Promise<void> {
  const letter = await (await host()).get<DeadLetter>(`${ALL}/${id}`);
  out.result(letter, () => {
    out.table(
      ['dead letter', String(letter.id)],
      [
        ['plugin', plain(letter.plugin)],
        ['event', `${plain(letter.event_name)}@${letter.version} ${plain(letter.event_id)}`],
        ['subscriptions', letter.subscriptions.map(plain).join(' ')],
        ['published', letter.published_at],
        ['given up', `${letter.at}, after ${letter.attempts} attempts`],
        ['error', `${plain(letter.error.message)} (${letter.error.code})`],
        ['payload', plain(JSON.stringify(letter.envelope.payload))],
      ],
    );
    for (const line of letter.error.stack?.split('\n') ?? []) out.line(`  ${plain(line).trim()}`);
  });
}

async function change(session: Session, op: 'retry' | 'drop', ids: Ids, choice: Choice): Promise<void> {
  const isNamed = ids !== undefined && ids.length > 0;
  const isFiltered = choice.plugin !== undefined || choice.subject !== undefined;
  if (Number(isNamed) + Number(isFiltered) + Number(choice.all ?? false) !== 1)
    session.usage('give their numbers, or --plugin and --subject, or --all');
  const { out } = session;
  const body = isNamed ? { ids } : choice;
  const answer = await (await session.host()).send<{ retried?: number; dropped?: number }>(
    'POST',
    `${ALL}/${op}`,
    body,
  );
  out.result(answer, () =>
    out.line(
      op === 'retry' ? `${answer.retried} wait in their mailboxes again.` : `${answer.dropped} are deleted.`,
    ),
  );
}

/** Lines are what is exported, with `--json` too: each is a JSON document. */
async function exportLines({ host }: Session, filter: Filter): Promise<void> {
  const headers = { accept: 'application/x-ndjson' };
  for await (const piece of (await host()).stream(`${ALL}?${queryOf(filter)}`, { headers })) {
    if (!process.stdout.write(piece)) await once(process.stdout, 'drain');
  }
}
