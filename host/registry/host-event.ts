import { randomUUIDv7 } from 'node:crypto';
import { type Permissions, permissionNames } from '../base/permissions.ts';
import { DEFAULT_TENANT, sealEnvelope } from '../bus/envelope.ts';
import type { EventDraft } from '../store/bus-records.ts';
import type { JournalDraft } from '../store/records.ts';

/** What the journal says about a plugin or a gate is also an event, committed with it (contract, HTTP). */
export function hostEvent({ action, target, actor, before, after, note }: JournalDraft): EventDraft {
  return sealed(action.replaceAll('-', '_'), { id: target, actor, before, after, note });
}

/** The events of what the journal says. Of principals only their plugin has to know, what they may do now. */
export function hostEvents(journal: readonly JournalDraft[]): readonly EventDraft[] {
  return journal.flatMap((draft) => {
    if (draft.action.startsWith('plugin.')) return [hostEvent(draft)];
    return draft.action === 'principal.granted' ? [principalGranted(draft)] : [];
  });
}

function principalGranted({ target, after }: JournalDraft): EventDraft {
  const [id, principal] = target.split('/');
  return sealed('plugin.principal_granted', {
    id,
    principal,
    granted: permissionNames(after as Permissions),
  });
}

function sealed(subject: string, payload: object): EventDraft {
  const id = randomUUIDv7();
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
    payloadJson: JSON.stringify(payload),
  });
  return { id, subject, version: 1, envelope, mode: 'event', caller: 'host' };
}
