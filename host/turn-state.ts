import type { Effect, KeyRead, RangeRead, Reads } from './store/records.ts';
import { type Changes, stageAddition } from './turn-page.ts';

/**
 * What turns read and staged. A turn has one to itself; the turns of a batch share one, so that each sees what
 * those before it staged, and all that they read is judged as of one moment. A turn that fails ends its batch,
 * so nothing is ever taken out of it.
 */
export class TurnState {
  readonly staged: Changes = new Map();
  /** Logs with staged appends, and how many effects there were when reading one last gave them numbers. */
  readonly appended = new Map<string, number>();
  /** The committed number of the newest entry of a log. */
  readonly lastNumbers = new Map<string, number>();
  readonly keysRead = new Map<string, KeyRead>();
  readonly rangesRead: RangeRead[] = [];
  /** Of all its turns, in order. */
  readonly effects: Effect[] = [];
  stagedBytes = 0;

  get reads(): Reads {
    return { keys: [...this.keysRead.values()], ranges: this.rangesRead };
  }

  /** Puts the state where it was behind turns that staged these. */
  restage(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.op === 'set') this.staged.set(effect.key, { value: effect.value });
      else if (effect.op === 'delete') this.staged.set(effect.key, { value: undefined });
      else if (effect.op === 'add') stageAddition(this.staged, effect.key, effect.amount);
      else if (effect.op === 'append' && !this.appended.has(effect.key)) this.appended.set(effect.key, 0);
      this.effects.push(effect);
    }
  }
}
