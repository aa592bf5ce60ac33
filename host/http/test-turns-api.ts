/** The turns of the host that tests of the HTTP layer talk to. */
import type { DryRunApi } from './dry-run-api.ts';
import type { TurnsApi } from './turns-api.ts';

const TURN = {
  id: 'e1:demo:1',
  plugin: 'demo',
  version: 'v1',
  event_id: 'e1',
  event_name: 'order.placed',
  at: '2026-01-01T00:00:00.000Z',
  outcome: 'ok',
  replayable: true,
} as const;
const SAME = { same: true, comparable: true, differences: [], notes: [] };

export function testTurns(): TurnsApi & DryRunApi {
  return {
    dryRun: async () => ({ turns: [], complete: true }),
    listTurns: () => ({ turns: [TURN] }),
    getTurn: (_caller, id) => ({ ...TURN, id, attempt: 1, envelope: { id: 'e1' } }),
    replayTurn: async (_caller, turn, version = 'v1') => ({ ...SAME, turn, version }),
    turnFixture: (_caller, id) => ({
      format: 'neira-turn@1',
      plugin: 'demo',
      event_name: 'order.placed',
      recorded_at: TURN.at,
      granted: [],
      settings: '{}',
      transcript: { id },
    }),
    replayTurns: async () => ({ replayed: 1, same: 1, different: 0, not_comparable: 0, turns: [] }),
  };
}
