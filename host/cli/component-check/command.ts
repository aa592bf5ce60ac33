import { readdir, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import type { Command } from 'commander';
import { NeiraError } from '../../errors.ts';
import { run, type Session } from '../command.ts';
import { plain, tint } from '../output.ts';
import { checkComponents } from './check.ts';
import type { FileReport } from './report.ts';

export function addCheckComponents(program: Command): void {
  program
    .command('check-components')
    .argument('<path...>', 'files, or folders to look for `.wasm` files in')
    .description('say of each component whether a host would take it, and try it; needs no host')
    .option('--timeout <seconds>', 'for each file', '60')
    .addHelpText('after', HELP)
    .action(run(checkAll));
}

const HELP = `
Each file goes the way of a registration, in a process of its own with bounded memory and time; one that is taken is
booted and given an event, with nothing granted. The exit code is 1 when a file could not be decided: it crashed the
process or did not end in time.`;

async function checkAll(
  { out, usage }: Session,
  paths: readonly string[],
  { timeout }: { timeout: string },
): Promise<void> {
  const seconds = Number(timeout);
  if (!(seconds > 0)) usage('--timeout is a number of seconds');
  const files = (await Promise.all(paths.map(filesOf))).flat();
  if (files.length === 0)
    throw new NeiraError('NEIRA_SOURCE_REFUSED', {
      reason: `there is no \`.wasm\` file in ${paths.join(', ')}`,
    });
  const show = (report: FileReport) => {
    if (!out.json) out.line(lineOf(report));
  };
  const options = { parallel: availableParallelism(), timeoutMs: seconds * 1000 };
  const reports = await checkComponents(files, options, show);
  out.result({ files: reports, counts: countsOf(reports) }, () => {
    const counts = Object.entries(countsOf(reports)).map(([what, count]) => `${count} ${what}`);
    out.line(`${reports.length} files: ${counts.join(', ')}`);
  });
  if (reports.some(({ verdict }) => verdict === 'crashed' || verdict === 'hung')) process.exitCode = 1;
}

async function filesOf(path: string): Promise<readonly string[]> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new NeiraError('NEIRA_SOURCE_REFUSED', { reason: `\`${path}\` cannot be read (${error.code})` });
  });
  if (!found.isDirectory()) return [path];
  const names = await readdir(path, { recursive: true, withFileTypes: true });
  return names
    .filter((each) => each.isFile() && each.name.endsWith('.wasm'))
    .map((each) => join(each.parentPath, each.name))
    .sort();
}

function lineOf({ file, verdict, code, reason, memoryBytes, fuel, asked = [] }: FileReport): string {
  const tone = verdict === 'runs' ? 'good' : verdict === 'refused' ? 'warn' : 'bad';
  const cost = memoryBytes === undefined ? '' : ` ${Math.ceil(memoryBytes / 1024)} KB, ${fuel} fuel`;
  const calls = asked.length === 0 ? '' : `, asked ${asked.join(' ')}`;
  const why =
    code === undefined && reason === undefined ? '' : ` ${[code, reason].filter(Boolean).join(': ')}`;
  return `${plain(relative('.', file))}  ${tint(tone, verdict)}${cost}${plain(calls)}${plain(why)}`;
}

/** By verdict, and refusals by their code. */
function countsOf(reports: readonly FileReport[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { verdict, code } of reports) {
    const what = verdict === 'refused' ? `refused ${code}` : verdict;
    counts[what] = (counts[what] ?? 0) + 1;
  }
  return Object.fromEntries(Object.entries(counts).sort(([, a], [, b]) => b - a));
}
