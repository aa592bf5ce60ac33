/** `neira:host/principals` for scripts; twin of abi/wit/v1/principals.wit. */
import { callAs, callPlainly } from './acting.ts';
import * as bus from './bus.ts';
import * as io from './io.ts';
import { sdk } from './sdk.ts';
import * as storage from './storage.ts';

type HostFunction = (...args: unknown[]) => unknown;
type Family = readonly [name: string, functions: readonly (readonly [name: string, fn: HostFunction])[]];

const { text, json } = sdk;
const NativeTypeError = TypeError;
const { create, freeze, entries } = Object;

/** Taken here, before any code of a plugin could change what walks over them. */
const FAMILIES: readonly Family[] = [
  ['storage', entries(storage)],
  ['io', entries(io)],
  ['bus', entries(bus)],
];

export const register = (principal: unknown) => {
  callPlainly('principals.register', json(principal, 'principal'));
};

export const remove = (id: unknown) => {
  callPlainly('principals.remove', text(id, 'id'));
};

export const granted = (id: unknown) => callPlainly('principals.granted', text(id, 'id'));

/** The host functions, each called by this principal: `as('scenario:morning').bus.publish(…)`. */
const actAs = (principal: unknown) => {
  const id = text(principal, 'principal');
  if (id === '') throw new NativeTypeError('principal must not be empty');
  const bound = create(null) as Record<string, unknown>;
  bound['id'] = id;
  for (let f = 0; f < FAMILIES.length; f++) {
    const family = FAMILIES[f]!;
    const functions = create(null) as Record<string, HostFunction>;
    for (let n = 0; n < family[1].length; n++) {
      const named = family[1][n]!;
      functions[named[0]] = (...args) => callAs(id, named[1], args);
    }
    bound[family[0]] = freeze(functions);
  }
  return freeze(bound);
};

export { actAs as as };
