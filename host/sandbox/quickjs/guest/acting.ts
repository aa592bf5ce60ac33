/**
 * Host calls made as a principal. Imported before the modules of host functions, whose copies in this bundle
 * then call as whoever acts.
 *
 * The switch lies around the one call into the host and nothing else: arguments were made text before it, so
 * that no code of the plugin runs between, and an async call begins its wait within it. So neither a `toJSON`
 * nor another promise can come to act as somebody else.
 */
import { sdk } from './sdk.ts';

const { call, callLater } = sdk;
const { apply } = Reflect;

/** As the plugin itself. */
export const callPlainly = call;

let acting = '';

/** Calls `fn` with host calls made as `principal`. */
export function callAs(principal: string, fn: (...args: unknown[]) => unknown, args: unknown[]): unknown {
  const before = acting;
  acting = principal;
  try {
    return apply(fn, undefined, args);
  } finally {
    acting = before;
  }
}

sdk.call = (...args: string[]) => {
  call('principals.act-as', acting);
  try {
    return apply(call, undefined, args);
  } finally {
    call('principals.act-as', '');
  }
};

sdk.callLater = (args) => {
  try {
    return callLater(() => {
      const made = args();
      call('principals.act-as', acting);
      return made;
    });
  } finally {
    call('principals.act-as', '');
  }
};
