/** What a dry run remembers while it goes on: what its turns staged, and what they are told instead of asking. */

import { wasSeen } from '../context/transcript.ts';
import { NeiraError } from '../errors.ts';
import type { DryStub } from '../http/dry-run-api.ts';
import { type KeptTurnStore, keptTurns } from '../registry/kept-turns.ts';
import type { Effect, TurnRecord } from '../store/records.ts';
import type { DryChain } from '../turns/turn-task.ts';

/** Recorded turns in which an answer is looked for. */
const LOOKED_AT_TURNS = 500;

export class DryAnswers implements DryChain {
  readonly #store: KeptTurnStore;
  readonly #stubs: readonly DryStub[];

  constructor(store: KeptTurnStore, stubs: readonly DryStub[]) {
    this.#store = store;
    this.#stubs = stubs;
  }

  prior(_plugin: string): readonly Effect[] | undefined {
    return undefined;
  }

  ran(_plugin: string, _record: TurnRecord): void {}

  /** @throws NEIRA_DRY_RUN_REQUEST for a request to the outside that nobody has an answer to */
  answer(plugin: string, op: string, args: string): string | undefined {
    const { what } = JSON.parse(args) as { what: string };
    const canned = this.#stubs.find(({ request }) => fits(request, what));
    if (canned) return answerOf(canned);
    // Another plugin is asked dry; whatever is beyond the host is not asked at all.
    if (op !== 'io.request') return undefined;
    const before = this.#lastAnswer(plugin, op, args);
    if (before === undefined) throw new NeiraError('NEIRA_DRY_RUN_REQUEST', { request: what });
    return before;
  }

  /** What it was told when it last asked the same. */
  #lastAnswer(plugin: string, op: string, args: string): string | undefined {
    let looked = 0;
    for (const { transcript } of keptTurns(this.#store, plugin, EVER)) {
      if (++looked > LOOKED_AT_TURNS) return undefined;
      if (!transcript || !wasSeen(transcript.seen)) continue;
      const { asked, answers } = transcript.seen;
      const question = asked.findLast(([, asking, given]) => asking === op && given === args);
      const answer = question && answers.find(([wait]) => wait === question[0]);
      if (answer) return answer[1];
    }
    return undefined;
  }
}

/** A whole chain of turns: each sees what those before it would have kept. */
export class DryOverlay extends DryAnswers {
  readonly #staged = new Map<string, Effect[]>();
  readonly #onRan: (plugin: string, record: TurnRecord) => void;
  nowMs: number;

  constructor(
    store: KeptTurnStore,
    stubs: readonly DryStub[],
    nowMs: number,
    onRan: (plugin: string, record: TurnRecord) => void,
  ) {
    super(store, stubs);
    this.nowMs = nowMs;
    this.#onRan = onRan;
  }

  override prior(plugin: string): readonly Effect[] {
    return this.#staged.get(plugin) ?? [];
  }

  override ran(plugin: string, record: TurnRecord): void {
    this.#staged.set(plugin, [...this.prior(plugin), ...record.effects]);
    this.#onRan(plugin, record);
  }
}

const EVER = { sinceMs: 0, untilMs: Number.MAX_SAFE_INTEGER };

function fits(pattern: string, what: string): boolean {
  return pattern.endsWith('*') ? what.startsWith(pattern.slice(0, -1)) : what === pattern;
}

function answerOf({ answer, refuse }: DryStub): string {
  if (!refuse) return answer === undefined ? 'U' : `V${JSON.stringify(answer)}`;
  const { code, message = `refused by the dry run: ${code}` } = refuse;
  return `E${JSON.stringify({ code, message, details: {} })}`;
}
