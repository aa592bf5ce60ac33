/**
 * Runs recorded turns again (design §1.3): on what they ran on, where everything has to be the same, or on another
 * version, to see what it would do otherwise. It happens in the spare cell, and nothing of it is kept.
 */

import { permissionNames } from '../base/permissions.ts';
import { referredSecret } from '../context/secret-reveal.ts';
import { type Answered, type ReplayReport, type Transcript, wasSeen } from '../context/transcript.ts';
import { compareTurns, type Difference } from '../context/turn-comparison.ts';
import { NeiraError } from '../errors.ts';
import type { ErrandCell } from '../sandbox/errand-cell.ts';
import type { Program } from '../sandbox/messages.ts';
import type { CellPool } from '../sandbox/pool.ts';
import type { PluginPolicy } from '../turn-context.ts';
import { type Booted, bootVersion } from './candidate.ts';
import type { Recording } from './kept-turns.ts';
import { type LivePlugin, storedManifest } from './live-plugin.ts';
import { engineBlob, type Recipe } from './recipes.ts';
import type { Registry } from './registry.ts';

export type Verdict =
  | { readonly kind: 'same' }
  | { readonly kind: 'different'; readonly differences: readonly Difference[] }
  /** It read or asked what it never had; how far it came says nothing. */
  | { readonly kind: 'not-comparable'; readonly reason: string };

/** What recorded turns are run again on. */
export interface ReplayGround {
  readonly program: Program;
  readonly cell: Pick<ErrandCell, 'boot' | 'replay'>;
  /** The very image and policy that the turn ran on. */
  readonly exact: boolean;
  /** What is not as it was, where it should be: the engine, or the image that the code now makes. */
  readonly notes: readonly string[];
}

/** Turns in one message to the spare, so that boots need not wait long. */
const CHUNK = 50;
const KEPT_GROUNDS = 8;

export class Replayer {
  readonly #registry: Registry;
  /** By recipe, in order of last use. */
  readonly #grounds = new Map<string, ReplayGround>();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  get #pool(): CellPool {
    return this.#registry.parts.pool;
  }

  /** One verdict for each, in order. @throws NEIRA_REPLAY_FAILED */
  async replay(ground: ReplayGround, recorded: readonly Recording[]): Promise<readonly Verdict[]> {
    const verdicts: Verdict[] = [];
    const chunks: Promise<readonly Verdict[]>[] = [];
    for (let at = 0; at < recorded.length; at += CHUNK) {
      const chunk = this.#chunk(ground, recorded.slice(at, at + CHUNK));
      // Told by the `await` below; until then nobody looks.
      chunk.catch(() => {});
      chunks.push(chunk);
      // The next one waits at the cell while what came of this one is compared.
      if (chunks.length > 1) verdicts.push(...(await chunks.shift()!));
    }
    for (const chunk of chunks) verdicts.push(...(await chunk));
    return verdicts;
  }

  async #chunk(
    { program, cell, exact }: ReplayGround,
    chunk: readonly Recording[],
  ): Promise<readonly Verdict[]> {
    const reports = await cell.replay(
      program,
      chunk.map((each) => this.#withSecrets(program, each)),
    );
    return chunk.map(({ transcript }, index) =>
      verdictOf(transcript, JSON.parse(reports[index]!) as ReplayReport, exact),
    );
  }

  /** What a turn was shown of secrets is not in its transcript: it is asked for again, by the grants of now. */
  #withSecrets({ plugin, policy }: Program, { transcript, text }: Recording): string {
    const { seen } = transcript;
    const live = this.#registry.find(plugin);
    // Most were shown none, and go as they are kept.
    if (!wasSeen(seen) || !live || !seen.answers.some(([, answer]) => referredSecret(answer) !== undefined))
      return text;
    const now: PluginPolicy = { ...(policy as PluginPolicy), granted: permissionNames(live.grants) };
    const answers = seen.answers.map(([wait, answer, atMs]): Answered => {
      const name = referredSecret(answer);
      const shown = name === undefined ? undefined : this.#registry.parts.reveal(now, name);
      return [wait, shown === undefined ? answer : `V${JSON.stringify(shown)}`, atMs];
    });
    return JSON.stringify({ ...transcript, seen: { ...seen, answers } });
  }

  /** What the turn itself ran on: its own code, image and policy. @throws NEIRA_NOT_REPLAYABLE */
  async groundOf({ turn }: Transcript): Promise<ReplayGround> {
    const digest = turn.recipe ?? '';
    const known = this.#grounds.get(digest);
    const ground = known ?? (await this.#makeGround(turn.turnId, digest));
    this.#grounds.delete(digest);
    this.#grounds.set(digest, ground);
    if (this.#grounds.size > KEPT_GROUNDS) this.#grounds.delete(this.#grounds.keys().next().value!);
    return ground;
  }

  async #makeGround(turnId: string, digest: string): Promise<ReplayGround> {
    const { store } = this.#registry.parts;
    const body = store.recipe(digest);
    if (body === undefined)
      throw new NeiraError('NEIRA_NOT_REPLAYABLE', { turn: turnId, reason: 'what it ran on is not kept' });
    const recipe = JSON.parse(body) as Recipe;
    const sourceMap = this.#registry.text(recipe.sourceMap);
    const serving = this.#serving(recipe);
    if (serving) return groundOf(this.#pool.errands, recipe, serving.image, sourceMap);
    const version = { code: this.#registry.text(recipe.bundle), sourceMap };
    const seen = wasSeen(recipe.boot) ? JSON.stringify(recipe.boot) : undefined;
    const cell = this.#cellOf(recipe.engine);
    const { reply } = await bootVersion(cell ?? this.#pool, version, recipe.policy, seen);
    const notes: string[] = [];
    if (!cell) notes.push('the engine is another than the one it ran on');
    if (reply.imageDigest !== recipe.image) notes.push('the image is another than the one it ran on');
    return groundOf(cell ?? this.#pool.errands, recipe, reply.image, sourceMap, notes);
  }

  /** Where the engine is the one that is named; undefined when that is kept no more. */
  #cellOf(engine: string): ReplayGround['cell'] | undefined {
    if (engine === this.#pool.engineDigest) return this.#pool.errands;
    const packed = this.#registry.parts.store.blob(engineBlob(engine));
    return packed && this.#pool.errandsOn(engine, packed);
  }

  /** The image in use, when it is the one of the recipe. */
  #serving({ policy, image, engine }: Recipe): Program | undefined {
    const live = this.#registry.find(policy.plugin);
    if (live?.foundation?.image !== image || live.foundation.engine !== engine || !live.serving)
      return undefined;
    return this.#pool.program(live.serving.generation);
  }

  /** Another version of the plugin, by digest or number, with the grants and settings of now. @throws NEIRA_NOT_FOUND */
  async groundOfVersion(plugin: LivePlugin, wanted: string): Promise<ReplayGround> {
    const rows = this.#registry.parts.store.versions(plugin.row.id);
    const row = rows.find(({ digest, version }) => digest === wanted || version === wanted);
    if (!row) throw new NeiraError('NEIRA_NOT_FOUND', { what: 'version', id: wanted });
    const version = { code: this.#registry.text(row.bundle), sourceMap: this.#registry.text(row.sourceMap) };
    const policy = this.#registry.policy({ ...plugin, manifest: storedManifest(row.manifest) }, row.digest);
    const booted = await bootVersion(this.#pool, version, policy);
    return groundOfBooted(this.#pool.errands, booted, version.sourceMap, policy);
  }
}

let grounds = 0;

/** Below those that serve: a cell keeps what it made of a program under its generation. */
function nextGeneration(): number {
  return --grounds;
}

/** A version that booted and does not serve yet. */
export function groundOfBooted(
  cell: ReplayGround['cell'],
  { reply }: Booted,
  sourceMap: string,
  policy: Recipe['policy'],
): ReplayGround {
  const { limits, plugin } = policy;
  const { image } = reply;
  const generation = nextGeneration();
  return { cell, program: { generation, plugin, limits, image, sourceMap, policy }, exact: false, notes: [] };
}

/** What a turn ran on; where something of it is another now, nothing has to be exact. */
function groundOf(
  cell: ReplayGround['cell'],
  { policy }: Recipe,
  image: Program['image'],
  sourceMap: string,
  notes: readonly string[] = [],
): ReplayGround {
  const { limits, plugin } = policy;
  const generation = nextGeneration();
  const program = { generation, plugin, limits, image, sourceMap, policy };
  return { cell, program, exact: notes.length === 0, notes };
}

export function verdictOf(recorded: Transcript, report: ReplayReport | undefined, exact: boolean): Verdict {
  if (!report)
    return { kind: 'not-comparable', reason: 'it was told more than is kept, so it cannot be told again' };
  if (report.missing !== undefined)
    return { kind: 'not-comparable', reason: `it wants what the recorded turn never had: ${report.missing}` };
  const differences = compareTurns(recorded, report, exact);
  return differences.length === 0 ? { kind: 'same' } : { kind: 'different', differences };
}
