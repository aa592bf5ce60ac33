/**
 * All host functions by the name `<interface>.<function>` of the WIT, the one way from a guest into the host.
 */

import { toldTo } from '../context/turn-principals.ts';
import type { Charge } from '../sandbox/run-result.ts';
import type { TurnContext } from '../turn-context.ts';
import type { HostFunction } from './arguments.ts';
import { busFunctions } from './bus.ts';
import { intlFunctions } from './intl.ts';
import { ioFunctions } from './io.ts';
import { principalsFunctions } from './principals.ts';
import { storageFunctions } from './storage.ts';
import { timerFunctions } from './timer.ts';

export const hostFunctions: ReadonlyMap<string, HostFunction> = new Map(
  Object.entries({
    storage: storageFunctions,
    io: ioFunctions,
    bus: busFunctions,
    principals: principalsFunctions,
    timer: timerFunctions,
    intl: intlFunctions,
  }).flatMap(([family, functions]) =>
    Object.entries(functions).map(([name, fn]): [string, HostFunction] => [`${family}.${name}`, fn]),
  ),
);

/** Log lines have a byte budget of their own; who acts is counted when it has to be looked up; texts cost fuel. */
const UNCOUNTED = new Set(['io.log', 'principals.act-as', 'intl.call']);

/** Refusals that a plugin may not catch and go on from: they end the turn. */
const ENDING = new Set(['NEIRA_HOST_CALLS_EXCEEDED', 'NEIRA_INTERNAL']);

/**
 * Performs one call: `V<json>`, `U`, `P<number>` of a wait, or `E<refusal>` which the guest throws at the
 * author's line.
 * @throws what must end the turn.
 */
export function callHostFunction(
  turn: TurnContext,
  op: string,
  args: readonly string[],
  charge: Charge = () => {},
): string {
  try {
    if (!UNCOUNTED.has(op)) turn.countCall();
    const fn = hostFunctions.get(op);
    if (!fn) throw turn.refusal('NEIRA_NOT_FOUND', { what: 'host function', id: op.slice(0, 100) });
    const answer = fn(turn, args, charge);
    if (answer === undefined) return 'U';
    return typeof answer === 'string' ? `V${answer}` : `P${answer.wait}`;
  } catch (error) {
    const told = toldTo(turn.principals.acting, error);
    if (ENDING.has(told.code)) throw error;
    return `E${JSON.stringify(told)}`;
  }
}
