import type { Mode, Scope, Stage } from './gates.ts';
import { isOpen, SCOPES } from './gates.ts';

/**
 * The one place where it is decided whether something may happen. Pure: what is not in the question
 * does not count. Deny by default; every answer but a plain `run` says why and what to do.
 *
 * Order of the checks: who asks, then the mode, then the gate. Where two of them answer, the stricter
 * one does: plugin code never runs behind a locked gate, not even dry.
 */

export type Verdict =
  /** Go on, for good. */
  | 'run'
  /** Run it, show what it would commit, and drop that. A delivery from the bus is not consumed by it. */
  | 'dry-run'
  /** Validate and journal it; no plugin code runs. */
  | 'record'
  /** Not now: keep it until what is in the way is gone. */
  | 'wait'
  | 'refuse';

export interface Decision {
  readonly verdict: Verdict;
  /** A code of the error catalogue, whenever the verdict is not a plain `run`. */
  readonly code?: string;
  readonly reason?: string;
  readonly remedy?: string;
  /** Fills the placeholders of the code's message. */
  readonly details?: Readonly<Record<string, unknown>>;
}

export interface GateView {
  readonly id: string;
  readonly stage: Stage;
}

export type PluginState = 'registered' | 'enabled' | 'disabled' | 'quarantined';

export type Operation =
  | 'register'
  | 'enable'
  | 'disable'
  | 'reload'
  | 'rollback'
  | 'grants'
  | 'principal.remove'
  | 'settings'
  | 'remove'
  | 'gate.open'
  | 'gate.lock'
  | 'gate.force'
  | 'mode.safe'
  | 'mode.normal'
  | 'token.create'
  | 'token.revoke'
  | 'backup'
  | 'secret.set'
  | 'secret.remove'
  | 'secret.rotate-key'
  | 'dead-letter.retry'
  | 'dead-letter.drop'
  | 'event.replay';

export type Question =
  | {
      readonly about: 'delivery';
      /** `ui`: somebody waits for the answer. `bus`, `host`: it lies in a mailbox. */
      readonly source: 'ui' | 'bus' | 'host';
      /** Every gate in the way, the most general first. */
      readonly gates: readonly GateView[];
      /** Absent when no plugin serves the tool. */
      readonly plugin?: { readonly id: string; readonly state: PluginState; readonly reason?: string };
      /** Whether the plugin was granted anything that changes or sends something. */
      readonly writes: boolean;
      readonly mode: Mode;
      readonly caller: Scope | 'host';
      readonly dryRun: boolean;
    }
  | {
      readonly about: 'call';
      readonly plugin: string;
      /** On whose behalf the plugin acts, where that is not its own: then `asked` and `granted` are of that one. */
      readonly principal?: string;
      /**
       * `storage.read`, `records.read`, `bus.publish:<event>`, `io.send:<port>`, `io.request:…` (http-rules.ts),
       * `secrets:<name>@<host>`, `secrets.reveal:<name>`, `link:<plugin>:<interface>`.
       */
      readonly permission: string;
      readonly asked: boolean;
      readonly granted: boolean;
      readonly gate: GateView;
      readonly mode: Mode;
      readonly caller: Scope | 'host';
    }
  | {
      readonly about: 'change';
      readonly operation: Operation;
      /** The engine's gate for a plugin change, the gate itself for `gate.*`. */
      readonly gate?: GateView;
      readonly missing?: readonly { readonly gate: string; readonly stage: Stage }[];
      readonly mode: Mode;
      readonly caller: Scope | 'host';
    }
  | { readonly about: 'read'; readonly caller: Scope };

type About<Name extends Question['about']> = Extract<Question, { about: Name }>;

const RUN: Decision = { verdict: 'run' };

/** What an administrator can do in safe mode: only what makes the host safer. */
const OPEN_IN_SAFE_MODE: ReadonlySet<Operation> = new Set([
  'gate.lock',
  'mode.safe',
  'mode.normal',
  'token.revoke',
  'backup',
]);

/** What leads to plugin code being booted, and so needs the engine's gate (HOST-39). */
const NEEDS_ENGINE_GATE: ReadonlySet<Operation> = new Set(['register', 'enable', 'reload', 'rollback']);

export function decide(question: Question): Decision {
  switch (question.about) {
    case 'delivery':
      return decideDelivery(question);
    case 'call':
      return decideCall(question);
    case 'change':
      return decideChange(question);
    case 'read':
      return hasScope(question.caller, 'read') ? RUN : forbidden('read');
  }
}

/** `read` < `write` < `admin`: each implies those before it. */
export function hasScope(caller: Scope, needed: Scope): boolean {
  return SCOPES.indexOf(caller) >= SCOPES.indexOf(needed);
}

const READING: ReadonlySet<string> = new Set(['storage.read', 'records.read']);

/** Whether a permission lets a plugin change or send something. What is not known to read does. */
export function isWriting(permission: string): boolean {
  return !READING.has(permission) && !permission.startsWith('bus.subscribe');
}

function decideDelivery(question: About<'delivery'>): Decision {
  const { source, plugin, mode, caller } = question;
  if (caller !== 'host' && !hasScope(caller, 'write')) return forbidden('write');

  // HOST-41: while a gate is locked an event of the UI is validated and journaled, and nothing runs,
  // whether the tool exists or not.
  const locked = question.gates.find((gate) => !isOpen(gate.stage));
  if (locked !== undefined) return gateLocked(source === 'ui' ? 'record' : 'wait', locked.id);

  if (plugin === undefined) {
    return {
      verdict: 'refuse',
      code: 'NEIRA_NOT_FOUND',
      reason: 'no registered plugin offers this tool',
      remedy: 'List the tools with GET /api/neira/ui/tools.',
      details: { what: 'tool' },
    };
  }
  if (plugin.state !== 'enabled') return inactive(source === 'ui' ? 'refuse' : 'wait', plugin);

  // X-26, HOST-24: a plugin that writes runs for administrators only, and shows others what it would do.
  if (mode === 'safe' && question.writes && caller !== 'admin') {
    return {
      verdict: 'dry-run',
      code: 'NEIRA_SAFE_MODE',
      reason: 'in safe mode a plugin that writes runs only for an administrator',
      remedy: 'Send it with a token of scope admin, or leave safe mode with `neira mode normal`.',
      details: { operation: 'running a plugin that writes', plugin: plugin.id },
    };
  }
  return question.dryRun ? { verdict: 'dry-run', reason: 'a dry run was asked for' } : RUN;
}

function decideCall(question: About<'call'>): Decision {
  const { plugin, principal, permission, gate } = question;
  const denied = (verdict: Verdict, missing: string, reason: string, remedy: string): Decision => ({
    verdict,
    code: 'NEIRA_PERMISSION_DENIED',
    reason,
    remedy,
    details: { plugin, ...(principal !== undefined && { principal }), permission, missing, reason, remedy },
  });
  if (principal !== undefined) {
    if (permission.startsWith('principals.')) {
      return denied(
        'refuse',
        'asked',
        `its principal \`${principal}\` cannot delegate any further`,
        'Register, remove and choose principals as the plugin itself.',
      );
    }
    if (!question.asked) {
      return denied(
        'refuse',
        'asked',
        `its principal \`${principal}\` does not ask for it`,
        `Register it with \`${permission}\` among its permissions, then grant it.`,
      );
    }
    if (!question.granted) {
      return denied(
        'refuse',
        'granted',
        `no administrator granted it to its principal \`${principal}\``,
        `An administrator grants it with \`neira plugin grant ${plugin} --principal ${principal}\`.`,
      );
    }
  }
  if (!question.asked) {
    return denied(
      'refuse',
      'asked',
      'the manifest does not ask for it',
      permission.startsWith('io.request:')
        ? 'Name host, method and path under `permissions.io.http` in the manifest, then grant them.'
        : `Name \`${permission}\` under \`permissions\` in the manifest${wayToName(permission)}, then grant it.`,
    );
  }
  if (!question.granted) {
    return denied(
      'refuse',
      'granted',
      'no administrator granted it',
      `An administrator grants it with \`neira plugin grant ${plugin}\`.`,
    );
  }
  if (!isOpen(gate.stage)) {
    return denied('refuse', 'gate', `the gate \`${gate.id}\` is locked`, openingOf(gate.id));
  }
  // Such a turn is a dry-run already (decideDelivery); the call may take part in it and no more.
  if (question.mode === 'safe' && question.caller !== 'admin' && isWriting(permission)) {
    return denied(
      'dry-run',
      'mode',
      'the host is in safe mode and the event is not an administrator’s',
      'Send the event with a token of scope admin, or leave safe mode with `neira mode normal`.',
    );
  }
  return RUN;
}

/** A secret is asked for in another shape than its permission is called by. */
function wayToName(permission: string): string {
  const [, reveal, name, host] = /^secrets(\.reveal)?:([^@]*)@?(.*)$/.exec(permission) ?? [];
  if (name === undefined) return '';
  return reveal
    ? ` as \`secrets: [{name: ${name}, reveal: true}]\``
    : ` as \`secrets: [{name: ${name}, hosts: [${host}]}]\``;
}

function decideChange(question: About<'change'>): Decision {
  const { operation, caller, gate } = question;
  // The host changes plugins of its own accord only where a file was saved; mode and gate bind it too.
  if (caller !== 'host' && !hasScope(caller, 'admin')) return forbidden('admin');

  if (question.mode === 'safe' && !OPEN_IN_SAFE_MODE.has(operation)) {
    return {
      verdict: 'refuse',
      code: 'NEIRA_SAFE_MODE',
      reason: `safe mode allows no ${operation}`,
      remedy: 'Leave safe mode with `neira mode normal`.',
      details: { operation },
    };
  }
  if (NEEDS_ENGINE_GATE.has(operation) && (gate === undefined || !isOpen(gate.stage))) {
    return gateLocked('refuse', gate?.id ?? 'of the engine');
  }
  const missing = question.missing?.[0];
  if (operation === 'gate.open' && missing !== undefined) {
    return {
      verdict: 'refuse',
      code: 'NEIRA_GATE_REQUIRES',
      reason: `it requires \`${missing.gate}\` to be ${missing.stage} first`,
      remedy: `Bring \`${missing.gate}\` to ${missing.stage}, or repeat with force (which is journaled).`,
      details: {
        gate: gate?.id ?? 'unknown',
        requires: missing.gate,
        stage: missing.stage,
        missing: question.missing,
      },
    };
  }
  return RUN;
}

function forbidden(scope: Scope): Decision {
  return {
    verdict: 'refuse',
    code: 'NEIRA_FORBIDDEN',
    reason: `the token lacks the scope \`${scope}\``,
    remedy: `Use a token with that scope, made with \`neira token create --scope ${scope}\`.`,
    details: { scope },
  };
}

function gateLocked(verdict: Verdict, gate: string): Decision {
  return {
    verdict,
    code: 'NEIRA_GATE_LOCKED',
    reason: `the gate \`${gate}\` is locked`,
    remedy: openingOf(gate),
    details: { gate },
  };
}

function openingOf(gate: string): string {
  return `An administrator opens it with \`neira gate set ${gate} experimental\`.`;
}

function inactive(verdict: Verdict, plugin: NonNullable<About<'delivery'>['plugin']>): Decision {
  const quarantined = plugin.state === 'quarantined';
  const reason =
    plugin.reason ?? (quarantined ? 'it failed too often' : `it is ${plugin.state}, not enabled`);
  const remedy = quarantined
    ? `Mend the plugin and register it again, or enable it with \`neira plugin enable ${plugin.id}\`.`
    : `Enable it with \`neira plugin enable ${plugin.id}\`.`;
  return {
    verdict,
    code: quarantined ? 'NEIRA_QUARANTINED' : 'NEIRA_PLUGIN_INACTIVE',
    reason,
    remedy,
    details: { plugin: plugin.id, reason, remedy },
  };
}
