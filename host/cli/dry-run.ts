import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { NeiraError } from '../errors.ts';
import { run, type Session } from './command.ts';
import { type EventName, readName, readPositive } from './event-options.ts';
import { plain, tint } from './output.ts';

interface DryTurn {
  readonly plugin: string;
  readonly event_id: string;
  readonly event_name: string;
  readonly caused_by: number | null;
  readonly at: string;
  readonly outcome: 'ok' | 'failed' | 'not-run';
  readonly error?: { readonly code: string; readonly message: string; readonly stack?: string };
  readonly reason?: string;
  readonly actions?: unknown;
  readonly result?: unknown;
  readonly planned: readonly unknown[];
  readonly logs: readonly string[];
}

interface Options {
  readonly event?: EventName;
  readonly payload: string;
  readonly turn?: string;
  readonly deadLetter?: number;
  readonly plugin?: string;
  readonly follow?: true;
  readonly stubs?: string;
}

/** `dry-run`: what would be, and nothing of it is kept (design §1.2, SCN-15). */
export function addDryRun(program: Command): void {
  program
    .command('dry-run')
    .description('show what an event, a dead letter or a recorded turn would do, and keep nothing')
    .option('--event <name>', 'a new event, as `order.placed@1`', readName)
    .option('--payload <json>', 'of the new event', '{}')
    .option('--turn <id>', 'the event of a turn that ran')
    .option('--dead-letter <id>', 'a delivery that was given up', readPositive)
    .option('--plugin <id>', 'only this one of its subscribers')
    .option('--follow', 'also what would come of it, and so on')
    .option('--stubs <file>', 'JSON: [{request, answer}] to answer with instead of asking')
    .action(run(dryRun));
}

async function dryRun(session: Session, options: Options): Promise<void> {
  const { event, payload, turn, deadLetter, plugin, follow, stubs } = options;
  if ([event, turn, deadLetter].filter((each) => each !== undefined).length !== 1)
    session.usage('give one of --event, --turn and --dead-letter');
  const body = {
    ...(event && {
      event: { event_name: event.name, version: event.version, payload: parsed(payload, '--payload') },
    }),
    ...(turn !== undefined && { turn }),
    ...(deadLetter !== undefined && { dead_letter: deadLetter }),
    ...(plugin !== undefined && { plugin }),
    ...(follow && { follow }),
    ...(stubs !== undefined && { stubs: parsed(await contentOf(stubs), stubs) }),
  };
  const host = await session.host();
  const found = await host.send<{ turns: DryTurn[]; complete: boolean }>('POST', '/api/neira/dry-run', body);
  const { out } = session;
  out.result(found, () => {
    if (found.turns.length === 0) return out.remark('Nobody subscribes to it.');
    found.turns.forEach((each, index) => {
      show(session, each, index);
    });
    if (!found.complete) out.remark('It goes on beyond what is looked at.');
  });
}

function show({ out }: Session, turn: DryTurn, index: number): void {
  const cause = turn.caused_by === null ? '' : ` (of ${turn.caused_by + 1})`;
  const verdict = turn.outcome === 'ok' ? tint('good', 'ok') : tint('bad', turn.outcome);
  out.line(`${index + 1}. ${plain(turn.event_name)} → ${plain(turn.plugin)}${cause}, ${turn.at}: ${verdict}`);
  if (turn.reason !== undefined) out.line(`   ${plain(turn.reason)}`);
  if (turn.error) out.line(`   ${plain(turn.error.message)} (${plain(turn.error.code)})`);
  for (const line of turn.error?.stack?.split('\n') ?? []) out.line(`     ${plain(line).trim()}`);
  for (const effect of turn.planned) out.line(`   + ${plain(JSON.stringify(effect))}`);
  if (turn.actions !== undefined && JSON.stringify(turn.actions) !== '[]')
    out.line(`   actions ${plain(JSON.stringify(turn.actions))}`);
  if (turn.result !== undefined) out.line(`   result ${plain(JSON.stringify(turn.result))}`);
  for (const line of turn.logs) out.line(`   ${tint('faint', plain(line))}`);
}

async function contentOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch {
    throw new NeiraError('NEIRA_NOT_FOUND', { what: 'file', id: file });
  }
}

function parsed(text: string, what: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new NeiraError('NEIRA_VALUE_INVALID', { what, reason: (error as Error).message });
  }
}
