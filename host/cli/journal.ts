import { type Command, InvalidArgumentError } from 'commander';
import { loadConfig } from '../config.ts';
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

/** What `store/journal.ts` says of the journal in a home. */
interface Verdict {
  readonly ok: boolean;
  readonly entries: number;
  readonly reason?: string;
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
  const store = (await import(new URL('../store/journal.ts', import.meta.url).href)) as {
    verifyJournal(home: string): Promise<Verdict> | Verdict;
  };
  const verdict = await store.verifyJournal(home);
  out.result(verdict, () => {
    if (verdict.ok)
      out.line(`${tint('good', 'whole:')} ${verdict.entries} entries, each chained to the one before it.`);
  });
  if (verdict.ok) return;
  out.remark(
    `${tint('bad', 'broken:', process.stderr)} ${plain(verdict.reason ?? 'the chain of hashes does not hold')}`,
  );
  process.exitCode = 1;
}

function readSequence(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It must be a number.');
  return Number(text);
}
