#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { isNeiraError, type Problem, toProblem } from '../errors.ts';
import { addBackup } from './backup.ts';
import { addBuild } from './build.ts';
import { Refused } from './client.ts';
import { addCheckComponents } from './component-check/command.ts';
import { addCommands, addContributed } from './contributed.ts';
import { addDryRun } from './dry-run.ts';
import { addEvents } from './events.ts';
import { addGate } from './gate.ts';
import { addHostState } from './host-state.ts';
import { addJournal } from './journal.ts';
import { addNew } from './new.ts';
import { createOutput } from './output.ts';
import { addPlugin } from './plugin.ts';
import { addRecords } from './records.ts';
import { addSecret } from './secret.ts';
import { addToken } from './token.ts';
import { addTurns } from './turns.ts';

/**
 * The `neira` command: a client of the HTTP API like any other, and the few things that need no host.
 * Exit codes: 0 done, 1 refused or failed (the reason on stderr), 2 not used as it is meant.
 */
const USAGE = 2;

async function main(argv: readonly string[]): Promise<number> {
  const program = createProgram(argv);
  try {
    await addUnknown(program, argv);
    await program.parseAsync([...argv], { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
    createOutput(program.opts()['json'] === true).problem(problemOf(error));
    return 1;
  }
}

function createProgram(argv: readonly string[]): Command {
  const program = new Command('neira')
    .description('Runs and tends a Neira host.')
    .option('--json', 'print one JSON document instead of text')
    .configureHelp({ showGlobalOptions: true })
    .exitOverride();
  // Options of the program are taken wherever they stand; commands may have a `--version` of their own.
  if (argv.every((word) => word.startsWith('-'))) program.version(versionOf());
  addHostState(program);
  addPlugin(program);
  addGate(program);
  addEvents(program);
  addTurns(program);
  addDryRun(program);
  addRecords(program);
  addNew(program);
  addBuild(program);
  addCheckComponents(program);
  addCommands(program);
  addJournal(program);
  addToken(program);
  addSecret(program);
  addBackup(program);
  return program;
}

/** A word that is no command of this program may be one of a plugin. */
async function addUnknown(program: Command, argv: readonly string[]): Promise<void> {
  const [first, second] = argv.filter((each) => !each.startsWith('-'));
  const word = first === 'help' ? second : first;
  const known = [...program.commands.map((each) => each.name()), 'help'];
  if (word === undefined || known.includes(word)) return;
  const remark = await addContributed(program, word);
  if (remark === undefined) return;
  if (first === 'help') createOutput(false).remark(remark);
  else program.showHelpAfterError(remark);
}

function problemOf(error: unknown): Problem {
  if (error instanceof Refused) return error.problem;
  if (isNeiraError(error) || !(error instanceof Error)) return toProblem(error);
  return toProblem({ code: 'NEIRA_INTERNAL', details: { reason: error.message } });
}

function versionOf(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return version;
}

// A reader like `head` may leave early; that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});
process.exitCode = await main(process.argv.slice(2));
