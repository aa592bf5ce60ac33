import { randomUUIDv7 } from 'node:crypto';
import { DEFAULT_TENANT, sealEnvelope } from '../bus/envelope.ts';
import type { EventDraft } from '../store/bus-records.ts';
import type { JournalDraft } from '../store/records.ts';

/** What the journal says about a plugin or a gate is also an event, committed with it (contract, HTTP). */
export function hostEvent({ action, target, actor, before, after, note }: JournalDraft): EventDraft {
  const id = randomUUIDv7();
  const subject = action.replaceAll('-', '_');
  const envelope = sealEnvelope({
    id,
    eventName: subject,
    version: 1,
    atMs: Date.now(),
    source: 'host',
    correlationId: id,
    causationId: null,
    tenant: DEFAULT_TENANT,
    headers: {},
    payloadJson: JSON.stringify({ id: target, actor, before, after, note }),
  });
  return { id, subject, version: 1, envelope, mode: 'event', caller: 'host' };
}
