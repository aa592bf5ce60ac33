import { Argument, type Command } from 'commander';
import { NeiraError } from '../errors.ts';
import type { Client } from './client.ts';
import { run, type Session } from './command.ts';
import { type Output, plain, tint, titleOf } from './output.ts';

const STAGES = ['locked', 'experimental', 'stable'] as const;
type Stage = (typeof STAGES)[number];

interface Gate {
  readonly id: string;
  readonly title: unknown;
  readonly stage: Stage;
  readonly requires: readonly { readonly gate: string; readonly stage: Stage; readonly met: boolean }[];
  readonly opens: unknown;
  readonly since: string;
  readonly phrases: Readonly<Record<string, readonly string[]>>;
  readonly signals: readonly {
    readonly stage: Stage;
    readonly name: string;
    readonly value: number | null;
    readonly target: string;
    readonly met: boolean | null;
  }[];
}

export function addGate(program: Command): void {
  const gate = program
    .command('gate')
    .argument('[phrase...]', 'a phrase that opens a gate, as «открой карандаш» or "open the pencil"')
    .description('list gates, set one, or open one by a phrase')
    .action(run(openByPhrase));
  gate.command('list').description('every gate').action(run(list));
  gate
    .command('show')
    .argument('<id>')
    .description('one gate: what it needs and opens, the phrases for it, and what speaks for promoting it')
    .action(run(show));
  gate
    .command('set')
    .argument('<id>')
    .addArgument(new Argument('<stage>').choices(STAGES))
    .description('bring a gate to a stage')
    .option('--force', 'although what it requires is not met; this is journaled')
    .action(run(set));
}

async function list({ out, host }: Session): Promise<void> {
  const body = await (await host()).get<{ gates: Gate[] }>('/api/neira/gates');
  out.result(body, () =>
    out.table(
      ['id', 'stage', 'requires', 'opens'],
      body.gates.map((gate) => [gate.id, toned(gate.stage), requirements(gate), titleOf(gate.opens)]),
    ),
  );
}

async function show({ out, host }: Session, id: string): Promise<void> {
  const { gates } = await (await host()).get<{ gates: (Gate & { aliases: readonly string[] })[] }>(
    '/api/neira/gates',
  );
  const gate = gates.find((each) => each.id === id || each.aliases.includes(id));
  if (!gate) throw new NeiraError('NEIRA_NOT_FOUND', { what: 'gate', id });
  out.result(gate, () => {
    out.line(`${gate.id} is ${toned(gate.stage)} since ${gate.since}.`);
    out.line(titleOf(gate.opens));
    if (gate.requires.length > 0) out.line(`Requires: ${requirements(gate)}`);
    for (const phrases of Object.values(gate.phrases)) out.line(`Phrases: ${phrases.map(plain).join(' · ')}`);
    out.table(
      ['speaks for', 'signal', 'measured', 'wanted', 'met'],
      gate.signals.map(({ stage, name, value, target, met }) => [
        stage,
        plain(name),
        value === null ? '' : String(value),
        plain(target),
        met === null ? 'a person says' : met ? tint('good', 'yes') : 'not yet',
      ]),
    );
  });
}

async function set(
  { out, host }: Session,
  id: string,
  stage: Stage,
  { force }: { force?: true },
): Promise<void> {
  report(out, await put(await host(), id, stage, force));
}

/** Says which gate it is, what it opens and what it needs; then opens it. What is open already stays as it is. */
async function openByPhrase(session: Session, words: readonly string[]): Promise<void> {
  if (words.length === 0) session.usage('give a phrase, or one of the commands `list`, `show` and `set`');
  const phrase = words.join(' ');
  const { out } = session;
  const host = await session.host();
  const gate = await host.get<Gate>(`/api/neira/gates/match?${new URLSearchParams({ phrase })}`);
  const language = /\p{Script=Cyrillic}/u.test(phrase) ? 'ru' : undefined;
  out.remark(`${titleOf(gate.title, language)} (${gate.id}): ${titleOf(gate.opens, language)}`);
  if (gate.requires.length > 0) out.remark(`requires ${requirements(gate)}`);
  report(out, gate.stage === 'locked' ? await put(host, gate.id, 'experimental') : gate);
}

function put(host: Client, id: string, stage: Stage, force?: true): Promise<Gate> {
  return host.send<Gate>('PUT', `/api/neira/gates/${encodeURIComponent(id)}`, {
    stage,
    ...(force && { force }),
  });
}

function report(out: Output, gate: Gate): void {
  out.result(gate, () => out.line(`${gate.id} is ${toned(gate.stage)}.`));
}

function requirements(gate: Gate): string {
  return gate.requires
    .map((need) => `${plain(need.gate)} ${need.stage}${need.met ? '' : ' (not yet)'}`)
    .join(', ');
}

function toned(stage: Stage): string {
  return tint(stage === 'locked' ? 'faint' : stage === 'stable' ? 'good' : 'warn', stage);
}
