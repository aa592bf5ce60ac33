/** What a run reaches for, by host functions: decided by the grants of its scenario, and by nothing of the engine's. */
import { cancel, publish } from 'neira:host/bus';
import { log } from 'neira:host/io';
import { type Acting, as } from 'neira:host/principals';
import { delete as drop, get, set } from 'neira:host/storage';
import type { Program, WaitFor } from '../program.ts';
import type { Run } from '../run/state.ts';
import { type Command, failed, type World } from '../run/world.ts';
import { giveHoldings, takeHoldings } from './holdings.ts';
import { keys } from './keys.ts';
import { listenFor } from './listening.ts';
import { spendCosts } from './spending.ts';
import { tellRun } from './tell.ts';

type EventWait = Extract<WaitFor, { kind: 'event' }>;
interface Breaker {
  readonly count: number;
  readonly openedAtMs?: number;
}

export function worldOf(run: Run, program: Program): World {
  return run.dry ? new DryWorld(run, program) : new HostWorld(run, program);
}

class HostWorld implements World {
  readonly run: Run;
  readonly program: Program;
  #me: Acting | undefined;

  constructor(run: Run, program: Program) {
    this.run = run;
    this.program = program;
  }

  /** The scenario itself: what it may is decided by what it was granted. */
  get me(): Acting {
    this.#me ??= as(this.run.scenario);
    return this.#me;
  }

  get nowMs(): number {
    return Date.now();
  }

  random(): number {
    return Math.random();
  }

  ask({ name, version, payload, step, wait, timeoutMs }: Command): string {
    const { id } = this.run;
    const parent = name === 'scenario.run' ? { scenario_parent: `${id} ${wait}` } : {};
    return this.me.bus.ask(name, payload as never, {
      version,
      key: id,
      context: { run: id, wait } as never,
      idempotencyKey: this.#keyOf(step),
      headers: parent as never,
      ...(timeoutMs !== undefined && { timeoutMs }),
    });
  }

  takeBack(ask: string): void {
    this.me.bus.cancel(ask);
  }

  publish({ name, version, payload, step, attempt, atMs }: Command & { readonly atMs?: number }): void {
    this.me.bus.publish(name, payload as never, {
      version,
      idempotencyKey: `${this.#keyOf(step)}#${attempt}`,
      ...(atMs !== undefined && { at: new Date(atMs).toISOString() }),
    });
  }

  /** What is sent twice by one step carries the same key: scenario, run and step (SCN-07). */
  #keyOf(step: string): string {
    return `${this.run.scenario}/${this.run.id}/${step}`;
  }

  wakeAt(atMs: number, before: { readonly id: string } | undefined): string {
    if (before) cancel(before.id);
    return tellRun(this.run.id, { kind: 'time' }, Math.max(atMs, Date.now() + 1));
  }

  sleepOn(id: string): void {
    cancel(id);
  }

  goOn(): void {
    tellRun(this.run.id, { kind: 'continue' });
  }

  take(names: readonly string[], number: number): boolean {
    return takeHoldings(this.run, names, number);
  }

  give(names: readonly string[], number: number): void {
    giveHoldings(this.run, names, number);
  }

  isOpen(key: string, resetMs: number): boolean {
    const openedAtMs = this.#breaker(key)?.openedAtMs;
    return openedAtMs !== undefined && this.nowMs - openedAtMs < resetMs;
  }

  tell(key: string, ended: 'good' | 'bad', threshold: number): void {
    const known = this.#breaker(key);
    if (ended === 'good') {
      if (known) drop(keys.breaker(key));
      return;
    }
    const count = (known?.count ?? 0) + 1;
    set(keys.breaker(key), { count, ...(count >= threshold && { openedAtMs: this.nowMs }) } as never);
  }

  #breaker(key: string): Breaker | undefined {
    return get<Breaker>(keys.breaker(key) as never)?.value as Breaker | undefined;
  }

  listen(what: EventWait, equals: readonly unknown[], wait: number): string {
    return listenFor(this.me, this.run.scenario, this.run.id, what, equals, wait);
  }

  deafen(place: string): void {
    drop(place);
  }

  question(wait: number, text: unknown, choices: unknown, to: unknown): string {
    const { id, scenario } = this.run;
    const question = `${id}.${wait}`;
    const asked = {
      question_id: question,
      run_id: id,
      scenario_id: scenario,
      text,
      ...(choices !== undefined && { choices }),
      ...(to !== undefined && { to }),
    };
    set(keys.question(question), { ...asked, wait, asked_at: new Date(this.nowMs).toISOString() } as never);
    publish('scenario.question.asked', asked as never);
    return question;
  }

  unquestion(question: string): void {
    drop(keys.question(question));
    publish('scenario.question.closed', { question_id: question, run_id: this.run.id });
  }

  cancelChild(run: string): void {
    tellRun(run, { kind: 'cancel', reason: `the run that began it ended (${this.run.id})` });
  }

  tellParent(parent: { readonly run: string; readonly wait: number }, ended: object): void {
    tellRun(parent.run, { kind: 'child', wait: parent.wait, ...ended } as never);
  }

  observe(step: string, name: string, props: unknown): void {
    const { id, scenario } = this.run;
    publish('scenario.step.observed', { run_id: id, scenario_id: scenario, step, name, props } as never);
    this.log(step, 'info', `${name} ${JSON.stringify(props)}`);
  }

  log(step: string, level: 'debug' | 'info' | 'warn' | 'error', message: string): void {
    log(level, `${this.run.scenario} ${this.run.id} ${step}: ${message}`);
  }

  spend(costs: Readonly<Record<string, number>>): void {
    spendCosts(this.program, this.run, costs, this.nowMs);
  }
}

/**
 * A run that shows what it would do (SCN-15). Commands whose steps say `effect: pure` are asked; all others answer what
 * their steps say they would. Time passes at once.
 */
class DryWorld extends HostWorld {
  override get nowMs(): number {
    return Date.now() + (this.run.aheadMs ?? 0);
  }

  override ask(command: Command): string {
    const { name, payload, wait, isPure, dryRun = null } = command;
    if (name === 'scenario.run')
      return super.ask({ ...command, payload: { ...(payload as object), dry_run: true } });
    if (isPure) return super.ask(command);
    return tellRun(this.run.id, { kind: 'answer', wait: wait!, result: dryRun });
  }

  override takeBack(ask: string): void {
    cancel(ask);
    super.takeBack(ask);
  }

  override publish(): void {}
  override question(): string {
    throw waits('an answer of a person');
  }
  override listen({ event }: EventWait): string {
    throw waits(`the event \`${event}\``);
  }
  override spend(): void {}
  override tell(): void {}
  override take(): boolean {
    return true;
  }
  override give(): void {}

  /** Nobody works on it: it is then at once. */
  override wakeAt(atMs: number, before: { readonly id: string } | undefined): string {
    const isWorkedOn = this.run.threads.some(({ frames }) =>
      frames.some(({ wait }) => wait?.kind === 'answer' || wait?.kind === 'child'),
    );
    if (isWorkedOn) return super.wakeAt(atMs, before);
    this.run.aheadMs = (this.run.aheadMs ?? 0) + Math.max(atMs - this.nowMs, 0);
    return tellRun(this.run.id, { kind: 'time' });
  }
}

function waits(what: string) {
  return failed(
    'SCENARIO_DRY_RUN_WAITS',
    `from here on it depends on ${what}, which a dry run cannot know; test it with a stub (\`neira scenario test\`)`,
  );
}
