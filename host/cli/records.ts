import { once } from 'node:events';
import { type Command, Option } from 'commander';
import { run, type Session } from './command.ts';
import { plain } from './output.ts';
import { readCount } from './plugin.ts';

interface Filter {
  readonly type?: 'annotation' | 'message';
  readonly chat?: string;
  readonly session?: string;
}

/** Messages and annotations have their lines in common; the rest is the plugin's. */
interface Found {
  readonly type: string;
  readonly ts?: string;
  readonly chat_id?: string;
  readonly session_id?: string;
  readonly text?: unknown;
  readonly kind?: unknown;
  readonly data?: unknown;
}

/** `search` and `export`: what plugins saved into chats (UIT-10). */
export function addRecords(program: Command): void {
  filtered(program.command('search'))
    .description('find messages and annotations')
    .option('--limit <results>', 'at most this many', readCount, 100)
    .action(run(search));
  filtered(program.command('export'))
    .description('write messages and annotations to stdout, one JSON document a line')
    .action(run(exportLines));
}

function filtered(command: Command): Command {
  return command
    .argument('[words...]', 'text that they hold')
    .addOption(new Option('--type <type>', 'only these').choices(['annotation', 'message']))
    .option('--chat <id>', 'only of this chat')
    .option('--session <id>', 'only of this session');
}

async function search(
  { out, host }: Session,
  words: readonly string[],
  { limit, ...filter }: Filter & { limit: number },
): Promise<void> {
  const query = queryOf(words, filter);
  query.set('limit', String(limit));
  const body = await (await host()).get<{ results: Found[]; next: number | null }>(
    `/api/neira/search?${query}`,
  );
  out.result(body, () => {
    if (body.results.length === 0) return out.remark('Nothing was found.');
    out.table(
      ['when', 'type', 'chat', 'session', 'what'],
      body.results.map((each) => [
        plain(each.ts),
        plain(each.type),
        plain(each.chat_id),
        plain(each.session_id),
        summaryOf(each),
      ]),
    );
    if (body.next !== null) out.remark(`There is more; \`neira export\` gives all of it.`);
  });
}

/** Lines are what is exported, with `--json` too: each is a JSON document. */
async function exportLines({ host }: Session, words: readonly string[], filter: Filter): Promise<void> {
  for await (const piece of (await host()).stream(`/api/neira/export?${queryOf(words, filter)}`)) {
    if (!process.stdout.write(piece)) await once(process.stdout, 'drain');
  }
}

function queryOf(words: readonly string[], filter: Filter): URLSearchParams {
  const query = new URLSearchParams();
  if (words.length > 0) query.set('q', words.join(' '));
  for (const name of ['type', 'chat', 'session'] as const) {
    const value = filter[name];
    if (value !== undefined) query.set(name, value);
  }
  return query;
}

const MAX_SUMMARY_CHARS = 80;

function summaryOf({ text, kind, data }: Found): string {
  const [what] = [text, data].filter((each) => each !== undefined);
  const shown = plain(typeof what === 'string' ? what : JSON.stringify(what ?? ''));
  const short = shown.length > MAX_SUMMARY_CHARS ? `${shown.slice(0, MAX_SUMMARY_CHARS)}…` : shown;
  return typeof kind === 'string' ? `${plain(kind)} ${short}` : short;
}
