import type { Permissions } from '../base/permissions.ts';
import type { Effect, KeyRead, PrincipalDraft, RangeRead, Reads } from '../store/records.ts';
import { type Changes, stageAddition } from './turn-page.ts';
import type { StagedPrincipal } from './turn-principals.ts';

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
  /** Registered or removed, and the versions of those that were looked up. */
  readonly principals = new Map<string, StagedPrincipal>();
  readonly principalsRead = new Map<string, number>();
  /** Of all its turns, in order. */
  readonly effects: Effect[] = [];
  stagedBytes = 0;

  get reads(): Reads {
    const principals = [...this.principalsRead].map(([id, version]) => ({ id, version }));
    return {
      keys: [...this.keysRead.values()],
      ranges: this.rangesRead,
      ...(principals.length > 0 && { principals }),
    };
  }

  /** One that was removed on the way begins with nothing granted. */
  registerPrincipal({ id, asked }: PrincipalDraft): void {
    const keepsGrants = this.principals.get(id)?.keepsGrants ?? true;
    this.principals.set(id, { asked: JSON.parse(asked) as Permissions, keepsGrants });
  }

  removePrincipal(id: string): void {
    this.principals.set(id, { asked: undefined, keepsGrants: false });
  }

  /** Puts the state where it was behind turns that staged these. */
  restage(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.op === 'set') {
        const { key, value, pii } = effect;
        this.staged.set(key, pii === undefined ? { value } : { value, pii });
      } else if (effect.op === 'delete') this.staged.set(effect.key, { value: undefined });
      else if (effect.op === 'add') stageAddition(this.staged, effect.key, effect.amount);
      else if (effect.op === 'principal.register') this.registerPrincipal(effect.principal);
      else if (effect.op === 'principal.remove') this.removePrincipal(effect.id);
      else if (effect.op === 'append' && !this.appended.has(effect.key)) this.appended.set(effect.key, 0);
      this.effects.push(effect);
    }
  }
}
