/**
 * `chat.input`, `voice.input`, `action.input` → `nlp.intent.detected` → the scenario of the rule (INT-04, INT-07): what is
 * heard is told with where it came from, so that whoever answers knows where to.
 */
import { publish, request } from 'neira:host/bus';
import type { Envelope } from 'neira:host/types';
import type { Run } from '../grammar/rule-file.ts';
import { filledContext } from '../grammar/run-context.ts';
import { type Slots, scalarsOf } from '../understand/meaning.ts';
import { messageOf } from '../understand/nearest.ts';
import { understand } from '../understand/understand.ts';
import { preparedLanguages } from './prepared.ts';

interface Input {
  readonly raw: string;
  readonly modality: string;
  readonly locale?: string;
  readonly channel?: string;
  readonly address?: string;
  readonly message_id?: string;
  readonly ctx?: Readonly<Record<string, unknown>>;
}

interface Begun {
  readonly ok: boolean;
  readonly run_id?: string;
  readonly error?: { readonly code: string; readonly message: string };
}

export async function hear({ payload }: Envelope): Promise<void> {
  const { raw: text, ...input } = payload as unknown as Input;
  const { locale, ctx = {} } = input;
  const context = scalarsOf(ctx);
  const result = understand(preparedLanguages(), { text, ...(locale !== undefined && { locale }), context });
  if ('missed' in result) {
    const { locale: likely, nearest } = result.missed;
    publish('intent.missed', {
      text,
      locale: likely,
      nearest,
      message: messageOf(nearest, likely),
      input,
    } as never);
    return;
  }
  const { intent, confidence, slots, locale: understoodIn, rule } = result.understood;
  const detected = { intent, confidence, locale: understoodIn, text, slots, input };
  publish('nlp.intent.detected', detected as never);
  if (rule.run) await begin(rule.run, detected);
}

interface Detected {
  readonly intent: string;
  readonly slots: Slots;
  readonly input: object;
}

/** A turn that runs again gets the answer that it got before, so nothing is begun twice. */
async function begin({ scenario, ctx = {}, priority }: Run, detected: Detected): Promise<void> {
  const payload = {
    id: scenario,
    ctx: filledContext(ctx, detected.slots),
    event: { event_name: 'nlp.intent.detected', version: 1, payload: detected },
    ...(priority !== undefined && { priority }),
  };
  const { intent, input } = detected;
  try {
    const begun = (await request('scenario.run', payload as never)) as unknown as Begun;
    if (!begun.ok)
      publish('intent.failed', { intent, scenario_id: scenario, input, error: begun.error } as never);
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code === undefined) throw error;
    publish('intent.failed', {
      intent,
      scenario_id: scenario,
      input,
      error: { code, message: message.slice(0, 1000) },
    } as never);
  }
}
