import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { NeiraError } from '../errors.ts';
import { run, type Session } from './command.ts';
import { readPast } from './event-options.ts';
import { plain, tint } from './output.ts';
import { readCount } from './plugin.ts';

interface Turn {
  readonly id: string;
  readonly plugin: string;
  readonly version: string;
  readonly event_id: string;
  readonly event_name: string;
  readonly at: string;
  readonly outcome: 'ok' | 'failed';
  readonly error?: { readonly code: string; readonly message: string; readonly stack?: string };
  readonly run_ms?: number;
  readonly effects?: number;
  readonly replayable: boolean;
  readonly reason?: string;
}

interface Detail extends Turn {
  readonly attempt: number;
  readonly envelope: { readonly payload: unknown };
  readonly actions?: unknown;
  readonly result?: unknown;
  readonly planned?: readonly unknown[];
  readonly logs?: readonly { readonly level: string; readonly message: string }[];
  readonly reads?: { readonly keys: readonly unknown[]; readonly ranges: readonly unknown[] };
  readonly requests?: readonly unknown[];
}

interface Replay {
  readonly turn: string;
  readonly version: string;
  readonly same: boolean;
  readonly comparable: boolean;
  readonly reason?: string;
  readonly differences: readonly Difference[];
  readonly notes: readonly string[];
}

export interface Difference {
  readonly what: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

interface Filter {
  readonly plugin?: string;
  readonly outcome?: string;
  readonly subject?: string;
  readonly event?: string;
  readonly since?: string;
  readonly until?: string;
  readonly limit: number;
}

const TURNS = '/api/neira/turns';

/** `turns …`: what ran, and what it does when it is run again (BUS-22, SCN-16). */
export function addTurns(program: Command): void {
  const turns = program.command('turns').description('turns that ran: list, show and replay them');
  filtered(turns.command('list'))
    .description('the newest first')
    .option('--event <id>', 'only those of this event')
    .option('--limit <turns>', 'at most this many', readCount, 50)
    .action(run(list));
  turns
    .command('show')
    .argument('<id>', 'of the turn')
    .description('what came in, what it was told, what it did')
    .action(run(show));
  turns
    .command('fixture')
    .argument('<id>', 'of the turn')
    .option('--into <folder>', 'of the plugin; its `fixtures/` gets it', '.')
    .description('keep a turn as a test fixture, which the tests of the plugin run again')
    .action(run(keepFixture));
  filtered(turns.command('replay'))
    .argument('[id]', 'of the turn; without it those that the options choose')
    .description('run recorded turns again, on what they ran on or on another version; nothing of it is kept')
    .option('--on <version>', 'on this version of the plugin: its digest or number')
    .option('--limit <turns>', 'at most this many', readCount, 100)
    .action(run(replay));
}

function filtered(command: Command): Command {
  return command
    .option('--plugin <id>', 'only of this plugin')
    .addOption(new Option('--outcome <outcome>', 'only these').choices(['ok', 'failed']))
    .option('--subject <pattern>', 'only of these events, as `order.>`')
    .option('--since <time>', 'from this time on, or as long ago as `10m`', readPast)
    .option('--until <time>', 'before this time, or up to `10m` ago', readPast);
}

async function list({ out, host }: Session, { event, ...filter }: Filter): Promise<void> {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ ...filter, event_id: event }))
    if (value !== undefined) query.set(name, String(value));
  const body = await (await host()).get<{ turns: Turn[] }>(`${TURNS}?${query}`);
  out.result(body, () => {
    if (body.turns.length === 0) return out.remark('No turn is kept that fits.');
    out.table(
      ['turn', 'when', 'plugin', 'event', 'outcome', 'ms', 'effects'],
      body.turns.map((turn) => [
        plain(turn.id),
        turn.at,
        plain(turn.plugin),
        plain(turn.event_name),
        turn.error ? tint('bad', turn.error.code) : 'ok',
        turn.run_ms?.toFixed(1) ?? '',
        String(turn.effects ?? ''),
      ]),
    );
  });
}

async function show({ out, host }: Session, id: string): Promise<void> {
  const turn = await (await host()).get<Detail>(`${TURNS}/${encodeURIComponent(id)}`);
  out.result(turn, () => {
    out.table(
      ['turn', plain(turn.id)],
      [
        ['plugin', `${plain(turn.plugin)} ${turn.version.slice(0, 12)}`],
        ['event', `${plain(turn.event_name)} ${plain(turn.event_id)}, attempt ${turn.attempt}`],
        ['began', turn.at],
        ['outcome', turn.error ? `${plain(turn.error.message)} (${turn.error.code})` : 'ok'],
        ['payload', textOf(turn.envelope.payload)],
        ...(turn.actions === undefined ? [] : [['actions', textOf(turn.actions)]]),
        ...(turn.result === undefined ? [] : [['result', textOf(turn.result)]]),
        ...(turn.reads?.keys ?? []).map((read) => ['read', textOf(read)]),
        ...(turn.reads?.ranges ?? []).map((read) => ['listed', textOf(read)]),
        ...(turn.requests ?? []).map((request) => ['asked', textOf(request)]),
        ...(turn.planned ?? []).map((effect) => ['did', textOf(effect)]),
        ...(turn.logs ?? []).map(({ level, message }) => ['log', `${level}: ${plain(message)}`]),
      ],
    );
    for (const line of turn.error?.stack?.split('\n') ?? []) out.line(`  ${plain(line).trim()}`);
    if (!turn.replayable) out.remark(`It cannot be run again: ${plain(turn.reason)}.`);
  });
}

/** Where the template's test looks: `fixtures/<event>-<digest>.turn.json`. */
async function keepFixture(
  { out, host }: Session,
  id: string,
  { into }: { readonly into: string },
): Promise<void> {
  const fixture = await (await host()).get<{ event_name: string }>(
    `${TURNS}/${encodeURIComponent(id)}/fixture`,
  );
  const text = `${JSON.stringify(fixture, null, 2)}\n`;
  const mark = createHash('sha256').update(id).digest('hex').slice(0, 8);
  const file = join(into, 'fixtures', `${fixture.event_name}-${mark}.turn.json`);
  try {
    await mkdir(join(into, 'fixtures'), { recursive: true });
    await writeFile(file, text);
  } catch (error) {
    const reason = (error as Error).message;
    throw new NeiraError('NEIRA_SOURCE_REFUSED', { reason: `\`${file}\` cannot be written (${reason})` });
  }
  out.result({ file, ...fixture }, () => {
    out.line(`${file} is there.`);
    out.remark('Look through it before you share it: it holds what the turn was told.');
  });
}

async function replay(
  session: Session,
  id: string | undefined,
  { on, ...filter }: Omit<Filter, 'event'> & { readonly on?: string },
): Promise<void> {
  if (id === undefined) return replayMany(session, on, filter);
  const { out, host } = session;
  const body = on === undefined ? {} : { version: on };
  const found = await (await host()).send<Replay>('POST', `${TURNS}/${encodeURIComponent(id)}/replay`, body);
  out.result(found, () => showReplay(session, found));
  // A script that asks whether an edit changes anything reads the exit code.
  if (!found.same) process.exitCode = 1;
}

async function replayMany(
  session: Session,
  on: string | undefined,
  { plugin, ...filter }: Omit<Filter, 'event'>,
): Promise<void> {
  if (plugin === undefined) session.usage('name a turn, or --plugin and which of its turns');
  const { out, host } = session;
  const body = { plugin, ...filter, ...(on !== undefined && { version: on }) };
  const found = await (await host()).send<{
    replayed: number;
    same: number;
    different: number;
    not_comparable: number;
    turns: Replay[];
  }>('POST', `${TURNS}/replay`, body);
  out.result(found, () => {
    for (const each of found.turns) showReplay(session, each);
    const { replayed, same, different, not_comparable } = found;
    out.line(
      `${replayed} turns: ${same} the same, ${different} different, ${not_comparable} not comparable.`,
    );
  });
  if (found.same < found.replayed) process.exitCode = 1;
}

function showReplay(session: Session, { turn, same, comparable, reason, differences, notes }: Replay): void {
  const { out } = session;
  const verdict = same
    ? tint('good', 'the same')
    : comparable
      ? tint('bad', 'different')
      : tint('warn', 'not comparable');
  out.line(`${plain(turn)}: ${verdict}${reason === undefined ? '' : ` – ${plain(reason)}`}`);
  showDifferences(session, differences);
  for (const note of notes) out.remark(`  ${plain(note)}`);
}

/** What was, and what is now. */
export function showDifferences({ out }: Session, differences: readonly Difference[]): void {
  for (const { what, before, after } of differences) {
    out.line(`  ${plain(what)}`);
    if (before !== undefined) out.line(tint('bad', `  - ${textOf(before)}`));
    if (after !== undefined) out.line(tint('good', `  + ${textOf(after)}`));
  }
}

const MAX_CHARS = 400;

function textOf(value: unknown): string {
  const text = plain(JSON.stringify(value));
  return text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}…` : text;
}
