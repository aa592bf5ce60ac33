/** A recorded turn as a test fixture: with it a test runs the turn again, on any machine (design §1.3). */

import { TurnRandom } from '../context/turn-random.ts';
import { NeiraError } from '../errors.ts';
import type { TurnFixture } from '../http/turns-api.ts';
import { replayable } from '../registry/kept-turns.ts';
import type { Recipe } from '../registry/recipes.ts';
import type { TurnHistory } from './turn-history.ts';

/** @throws NEIRA_NOT_FOUND, NEIRA_NOT_REPLAYABLE */
export function fixtureOf(
  history: TurnHistory,
  recipeOf: (digest: string) => string | undefined,
  secret: Uint8Array,
  id: string,
): TurnFixture {
  const turn = history.get(id);
  const { transcript } = replayable(turn);
  const body = recipeOf(transcript.turn.recipe!);
  if (body === undefined)
    throw new NeiraError('NEIRA_NOT_REPLAYABLE', { turn: id, reason: 'what it ran on is not kept' });
  const { policy } = JSON.parse(body) as Recipe;
  return {
    format: 'neira-turn@1',
    plugin: turn.plugin,
    event_name: turn.subject,
    recorded_at: new Date(turn.atMs).toISOString(),
    granted: policy.granted,
    settings: policy.settings,
    // What it draws at random follows from the home's secret, which stays at home.
    transcript: { ...transcript, seed: TurnRandom.seedOf(secret, transcript.input.deliveryId) },
  };
}
