/** One permission of one turn, for whoever acts in it: asked, granted, gate open, mode allowing. */
import { decide, type GateView } from '../../gates/decide.ts';
import { type ErrorCode, NeiraError } from '../errors.ts';
import type { TurnOrigin } from '../turn-context.ts';

/** Who acts, with what was asked and granted as flat permission names. */
export interface Actor {
  readonly plugin: string;
  /** Absent where the plugin acts for itself. */
  readonly principal?: string;
  readonly asked: readonly string[];
  readonly granted: readonly string[];
  readonly gate: GateView;
}

/** @throws NEIRA_PERMISSION_DENIED, NEIRA_SAFE_MODE */
export function requirePermission(
  { plugin, principal, asked, granted, gate }: Actor,
  { mode, caller, dryRun }: Pick<TurnOrigin, 'mode' | 'caller' | 'dryRun'>,
  permission: string,
): void {
  const decision = decide({
    about: 'call',
    plugin,
    ...(principal !== undefined && { principal }),
    permission,
    asked: asked.includes(permission),
    granted: granted.includes(permission),
    gate,
    mode,
    caller,
  });
  if (decision.verdict === 'run' || (decision.verdict === 'dry-run' && dryRun)) return;
  throw new NeiraError((decision.code ?? 'NEIRA_PERMISSION_DENIED') as ErrorCode, {
    plugin,
    permission,
    reason: decision.reason,
    remedy: decision.remedy,
    ...decision.details,
  });
}
