import { randomUUIDv7 } from 'node:crypto';
import { describe } from '../errors.ts';
import type { EventDraft, OwnEvent } from './bus-records.ts';
import type { OpenAsk } from './requests.ts';

const SUBJECT = 'command.answered';
/** As of any event. */
const MAX_RESULT_CHARS = 256 * 1024;

/**
 * The event `command.answered`: what a command that was asked came to, for whoever asked and nobody else.
 * @param answer `V<json>`, `M<marks>\n<json>`, `U` or `E<refusal>`
 */
export function answerEvent(
  ask: OpenAsk,
  answer: string,
  nowMs: number,
  seal: (draft: OwnEvent) => string,
): EventDraft {
  const { id: asked, command, version, context, correlationId, tenant } = ask;
  const { outcome, marks } = outcomeOf(answer);
  const id = randomUUIDv7();
  const about = `{"id":${JSON.stringify(asked)},"command":${JSON.stringify(command)},"version":${version}`;
  const envelope = seal({
    id,
    eventName: SUBJECT,
    version: 1,
    atMs: nowMs,
    source: 'host',
    correlationId,
    causationId: asked,
    tenant,
    headers: marks === undefined ? {} : { pii: marks },
    payloadJson: `${about},${outcome}${context === undefined ? '' : `,"context":${context}`}}`,
  });
  return { id, subject: SUBJECT, version: 1, envelope, mode: 'event', caller: 'host' };
}

/** Members of the payload, and where in the envelope something is personal. */
function outcomeOf(answer: string): { readonly outcome: string; readonly marks?: string } {
  if (answer === 'U') return { outcome: '"ok":true' };
  if (answer[0] === 'E') return { outcome: `"ok":false,"error":${answer.slice(1)}` };
  const end = answer[0] === 'M' ? answer.indexOf('\n') : 0;
  const result = answer.slice(end + 1);
  if (result.length > MAX_RESULT_CHARS) return { outcome: `"ok":false,"error":${tooLarge(result.length)}` };
  const outcome = `"ok":true,"result":${result}`;
  if (answer[0] === 'V') return { outcome };
  const pointers = JSON.parse(answer.slice(1, end)) as readonly string[];
  return { outcome, marks: JSON.stringify(pointers.map((pointer) => `/payload/result${pointer}`)) };
}

function tooLarge(bytes: number): string {
  const details = { what: 'result', bytes, maxBytes: MAX_RESULT_CHARS };
  const message = describe('NEIRA_VALUE_TOO_LARGE', details);
  return JSON.stringify({ code: 'NEIRA_VALUE_TOO_LARGE', message, details });
}
