/** Definitions by their digest: those that serve are part of the image, older ones are read when a run needs them. */
import { get, list } from 'neira:host/storage';
import { prepareExpressions } from '../language/expressions.ts';
import type { Program } from '../program.ts';
import { keys } from './keys.ts';

/** Definitions that an image holds. */
const MAX_PREPARED = 500;

export interface ScenarioRow {
  readonly id: string;
  readonly title: Program['title'];
  /** The definition that serves; none until it was granted what it needs. */
  readonly digest?: string;
  /** One that waits for consent, and what it lacks. */
  readonly pending?: { readonly digest: string; readonly missing: readonly string[] };
  readonly enabled: boolean;
  readonly version?: string;
  readonly saved_at: string;
  readonly saved_by: string;
  /** The author's files, and which of them is the scenario. */
  readonly files: readonly string[];
  readonly entry: string;
}

const prepared = new Map<string, Program>();

/** Part of `prepare()`: what it reads makes a new image when it changes. */
export function preparePrograms(): void {
  prepared.clear();
  let after: string | undefined;
  while (prepared.size < MAX_PREPARED) {
    const page = list<ScenarioRow>('scenario/', {
      limit: 100,
      ...(after !== undefined && { after }),
    } as never);
    if (page.length === 0) return;
    for (const { value } of page) prepareOne(value as ScenarioRow);
    after = page.at(-1)!.key;
  }
}

function prepareOne({ digest }: ScenarioRow): void {
  if (digest === undefined) return;
  const program = stored(digest);
  if (!program) return;
  prepareExpressions(program);
  prepared.set(digest, program);
}

export function programOf(digest: string): Program | undefined {
  return prepared.get(digest) ?? stored(digest);
}

function stored(digest: string): Program | undefined {
  return get<Program>(keys.definition(digest) as never)?.value as Program | undefined;
}

export function scenarioOf(id: string): ScenarioRow | undefined {
  return get<ScenarioRow>(keys.scenario(id) as never)?.value as ScenarioRow | undefined;
}
