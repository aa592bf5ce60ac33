/**
 * `npm run bench`: each section beside its peers, as ratios, against the targets of the design.
 *
 *     node test/bench/run.ts                          all sections, about seven minutes
 *     node test/bench/run.ts turn durable bus                some of them
 *
 * Every section runs in a process of its own and within a limit of time. A missed target is printed, not an
 * error: the exit code tells only whether everything could be measured.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { conditions, printSection, type Section } from './kit.ts';

const SECTIONS = [
  'turn',
  'durable',
  'http',
  'reload',
  'size',
  'bus',
  'bus-scale',
  'transcripts',
  'io',
  'component',
  'search',
  'scenario',
  'scenario-store',
  'intents',
];
const LIMIT_MS = 100_000;
const HERE = import.meta.dirname;

function installPeers(): void {
  const { dependencies } = JSON.parse(readFileSync(path.join(HERE, 'package.json'), 'utf8')) as {
    dependencies: Readonly<Record<string, string>>;
  };
  if (Object.keys(dependencies).every((name) => existsSync(path.join(HERE, 'node_modules', name)))) return;
  execFileSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: HERE,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** Runs one section as a child, which prints it as its last line. */
function measure(name: string): Promise<Section | undefined> {
  const child = spawn(process.execPath, [path.join(HERE, 'section.ts'), name], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
  });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  return new Promise((resolve) => {
    child.once('close', (code, signal) => {
      if (code === 0) return resolve(JSON.parse(out.trim().split('\n').at(-1)!) as Section);
      console.log(`\n${name}: could not be measured (${signal ?? `exit ${code}`})`);
      resolve(undefined);
    });
  });
}

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !SECTIONS.includes(name));
if (unknown.length > 0) {
  console.error(`no such section: ${unknown.join(', ')}; there are ${SECTIONS.join(', ')}`);
  process.exit(1);
}
installPeers();
console.log(conditions());
let complete = true;
let missed = 0;
for (const name of asked.length > 0 ? asked : SECTIONS) {
  const section = await measure(name);
  if (section) printSection(section);
  else complete = false;
  missed += section?.rows.filter(({ met }) => met === false).length ?? 0;
}
const targets = missed === 0 ? 'every target that was measured is met' : `${missed} targets are missed`;
console.log(`\n${targets}${complete ? '' : '; not everything could be measured'}; ${conditions()}`);
process.exit(complete ? 0 : 1);
