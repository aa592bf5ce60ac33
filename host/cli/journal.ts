import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { loadConfig } from '../config.ts';
import { NeiraError } from '../errors.ts';
import { run, type Session } from './command.ts';
import { plain, tint } from './output.ts';
import { readCount } from './plugin.ts';

interface Entry {
  readonly seq: number;
  readonly ts: string;
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly note?: string;
}

export function addJournal(program: Command): void {
  program
    .command('journal')
    .description('changes to the host, newest last')
    .option('--after <seq>', 'only those after this one', readSequence, 0)
    .option('--limit <entries>', 'at most this many', readCount, 100)
    .option('--verify', 'check the chain of hashes in the home; needs no host')
    .action(run(journal));
}

interface Options {
  readonly after: number;
  readonly limit: number;
  readonly verify?: true;
}

async function journal(session: Session, { after, limit, verify }: Options): Promise<void> {
  if (verify) return verifyHome(session);
  const { out, host } = session;
  const body = await (await host()).get<{ entries: Entry[] }>(
    `/api/neira/journal?after=${after}&limit=${limit}`,
  );
  out.result(body, () =>
    out.table(
      ['seq', 'when', 'who', 'what', 'on', 'note'],
      body.entries.map((each) => [
        String(each.seq),
        each.ts,
        plain(each.actor),
        each.action,
        plain(each.target),
        plain(each.note),
      ]),
    ),
  );
}

/** Judges the home itself, so that a host that was tampered with cannot vouch for its own journal. */
async function verifyHome({ out }: Session): Promise<void> {
  const { home } = loadConfig(process.env);
  if (!existsSync(join(home, 'neira.db')))
    throw new NeiraError('NEIRA_NOT_FOUND', { what: 'journal in', id: home });
  const { verifyJournal } = await import('../store/verify-journal.ts');
  const report = judge(() => verifyJournal(home));
  out.result(report, () => {
    if (report.ok)
      out.line(`${tint('good', 'whole:')} ${report.entries} entries, each chained to the one before it.`);
  });
  if (report.pendingLines > 0)
    out.remark(`The next boot writes ${report.pendingLines} lines that the last one could not.`);
  if (report.ok) return;
  const { seq, file, line, what } = report.problem ?? { what: 'the chain does not hold' };
  const place = [file && `${file}:${line ?? '?'}`, seq && `entry ${seq}`].filter(Boolean).join(', ');
  out.remark(`${tint('bad', 'broken:', process.stderr)} ${plain(place === '' ? what : `${place}: ${what}`)}`);
  process.exitCode = 1;
}

/** A database that cannot be read is no mistake of the command line. */
function judge<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new NeiraError('NEIRA_STORE_FAILED', { reason: (error as Error).message }, { cause: error });
  }
}

function readSequence(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It must be a number.');
  return Number(text);
}
