/** Events that the engine hears, and what each does. */
import type { Envelope } from 'neira:host/types';
import type { RunEvent } from '../run/state.ts';
import { freed, type Released, released, wanted } from './admission.ts';
import { consented } from './definitions.ts';
import { deliver, spread } from './hearing.ts';
import { forgetExpired } from './retention.ts';

const ENGINE = 'plugin:scenario.engine';

type Handler = (event: Envelope) => void;

export const EVENTS: Readonly<Record<string, Handler>> = {
  /** The one way to a run, for whatever the engine tells it. */
  'scenario.run.told': own<{ run_id: string; event: RunEvent }>(({ run_id, event }) =>
    deliver(run_id, event),
  ),
  'command.answered': ({ payload }) => {
    const { context, ok, result, error } = payload as unknown as Answered;
    deliver(context.run, { kind: 'answer', wait: context.wait, ...(ok ? { result } : { error: error! }) });
  },
  'scenario.run.released': own<Released>(released),
  'scenario.slot.freed': own<{ scenario_id: string }>(({ scenario_id }) => freed(scenario_id)),
  'scenario.slot.wanted': own<{ run_id: string }>(({ run_id }) => wanted(run_id)),
  'scenario.event.spread': own<Spread>(({ scenario_id, ear, event, after }) =>
    spread(scenario_id, ear, event, after),
  ),
  'plugin.principal_granted': ({ payload }) => {
    const { id, principal } = payload as { id: string; principal: string };
    if (id === 'scenario.engine') consented(principal);
  },
  'timer.tick': () => forgetExpired(Date.now()),
  'scenario.run.expired': own(() => forgetExpired(Date.now())),
};

interface Answered {
  readonly ok: boolean;
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string; readonly details?: unknown };
  readonly context: { readonly run: string; readonly wait: number };
}

interface Spread {
  readonly scenario_id: string;
  readonly ear: string;
  readonly event: unknown;
  readonly after: string;
}

/** What others publish under the engine's names is nothing that it said. */
function own<Payload>(handler: (payload: Payload) => void): Handler {
  return ({ source, payload }) => {
    if (source === ENGINE) handler(payload as Payload);
  };
}
