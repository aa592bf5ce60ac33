/**
 * What the turns of a plugin run on, under one digest: code, image, engine, and what they may do. Whoever has a
 * transcript and its recipe can run the turn again (design §4, "Transcripts").
 */
import { createHash } from 'node:crypto';
import type { Seen, SeenTooMuch } from '../context/transcript.ts';
import type { RecipeRecord, VersionRow } from '../store/records.ts';
import type { PluginPolicy } from '../turn-context.ts';

/** How an image came about. */
export interface Foundation {
  readonly engine: string;
  readonly image: string;
  /** What top-level code and `prepare()` were told: a boot that is told the same makes the same image. */
  readonly boot: Seen | SeenTooMuch;
}

export interface Recipe extends Foundation {
  /** Digests of blobs. */
  readonly bundle: string;
  readonly sourceMap: string;
  readonly policy: PluginPolicy;
}

export function recipeOf(
  {
    bundle,
    sourceMap,
    digest: version,
    plugin,
  }: Pick<VersionRow, 'bundle' | 'sourceMap' | 'digest' | 'plugin'>,
  foundation: Foundation,
  policy: PluginPolicy,
): RecipeRecord {
  const recipe: Recipe = { ...foundation, bundle, sourceMap, policy };
  const body = JSON.stringify(recipe);
  const digest = createHash('sha256').update(body).digest('hex');
  return {
    kind: 'recipe',
    digest,
    plugin,
    version,
    blobs: [bundle, sourceMap, engineBlob(foundation.engine)],
    body,
  };
}

/** Under which name an engine is kept among the blobs. */
export function engineBlob(engine: string): string {
  return `engine:${engine}`;
}
