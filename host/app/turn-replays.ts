/** Recorded turns run again on demand (BUS-22, SCN-16): on what they ran on, or on another version. */
import { NeiraError } from '../errors.ts';
import type { TurnReplay, TurnsReplay, TurnsReplayBody } from '../http/turns-api.ts';
import { type KeptTurn, type Recording, replayable } from '../registry/kept-turns.ts';
import type { Registry } from '../registry/registry.ts';
import type { Replayer, ReplayGround, Verdict } from '../registry/replayer.ts';
import type { TurnHistory } from './turn-history.ts';

const DEFAULT_TURNS = 100;
const MAX_SHOWN = 100;

export class TurnReplays {
  readonly #registry: Registry;
  readonly #history: TurnHistory;
  readonly #replayer: Replayer;

  constructor(registry: Registry, history: TurnHistory) {
    this.#registry = registry;
    this.#history = history;
    this.#replayer = registry.replayer;
  }

  /** @throws NEIRA_NOT_FOUND, NEIRA_NOT_REPLAYABLE, NEIRA_REPLAY_FAILED */
  async one(id: string, version: string | undefined): Promise<TurnReplay> {
    const turn = this.#history.get(id);
    const recording = replayable(turn);
    const ground = await this.#groundOf(turn.plugin, version, recording);
    const [verdict] = await this.#replayer.replay(ground, [recording]);
    return viewOf(turn, ground, verdict!);
  }

  async many(body: TurnsReplayBody): Promise<TurnsReplay> {
    const { plugin, version, limit = DEFAULT_TURNS, ...filter } = body;
    this.#registry.get(plugin);
    const turns = [...this.#history.turns(plugin, this.#history.filter(filter), limit)];
    const seen: TurnReplay[] = [];
    for (const group of byGround(turns, version !== undefined))
      seen.push(...(await this.#group(group, version)));
    const count = (test: (replay: TurnReplay) => boolean) => seen.filter(test).length;
    const order = new Map(turns.map(({ id }, index) => [id, index]));
    return {
      replayed: seen.length,
      same: count(({ same }) => same),
      different: count(({ same, comparable }) => comparable && !same),
      not_comparable: count(({ comparable }) => !comparable),
      turns: seen
        .filter(({ same }) => !same)
        .sort((a, b) => order.get(a.turn)! - order.get(b.turn)!)
        .slice(0, MAX_SHOWN),
    };
  }

  /** Turns that are run on the same ground, in one go. */
  async #group(turns: readonly KeptTurn[], version: string | undefined): Promise<readonly TurnReplay[]> {
    const ready: { turn: KeptTurn; recording: Recording }[] = [];
    const views: TurnReplay[] = [];
    for (const turn of turns) {
      try {
        ready.push({ turn, recording: replayable(turn) });
      } catch (error) {
        if (!(error instanceof NeiraError)) throw error;
        views.push(notComparable(turn, String(error.details['reason'])));
      }
    }
    const [first] = ready;
    if (!first) return views;
    let ground: ReplayGround;
    try {
      ground = await this.#groundOf(first.turn.plugin, version, first.recording);
    } catch (error) {
      if (!(error instanceof NeiraError) || error.code !== 'NEIRA_NOT_REPLAYABLE') throw error;
      return [...views, ...ready.map(({ turn }) => notComparable(turn, String(error.details['reason'])))];
    }
    const verdicts = await this.#replayer.replay(
      ground,
      ready.map(({ recording }) => recording),
    );
    return [...views, ...ready.map(({ turn }, index) => viewOf(turn, ground, verdicts[index]!))];
  }

  #groundOf(plugin: string, version: string | undefined, { transcript }: Recording): Promise<ReplayGround> {
    if (version === undefined) return this.#replayer.groundOf(transcript);
    return this.#replayer.groundOfVersion(this.#registry.get(plugin), version);
  }
}

function byGround(turns: readonly KeptTurn[], together: boolean): readonly (readonly KeptTurn[])[] {
  if (together) return [turns];
  return [...Map.groupBy(turns, ({ transcript }) => transcript?.turn.recipe).values()];
}

function notComparable({ id, version }: KeptTurn, reason: string): TurnReplay {
  return { turn: id, version, same: false, comparable: false, reason, differences: [], notes: [] };
}

function viewOf({ id }: KeptTurn, { program, notes }: ReplayGround, verdict: Verdict): TurnReplay {
  const { version } = program.policy as { version: string };
  return {
    turn: id,
    version,
    same: verdict.kind === 'same',
    comparable: verdict.kind !== 'not-comparable',
    ...(verdict.kind === 'not-comparable' && { reason: verdict.reason }),
    differences: verdict.kind === 'different' ? verdict.differences : [],
    notes,
  };
}
