/** The host's own guest code, bundled once a process and handed to every image that is built. */
import path from 'node:path';
import { bundleGuest } from './bundle.ts';
import type { BootSource } from './run-result.ts';

const GUEST = path.join(import.meta.dirname, 'guest');
export const HOST_MODULES = ['storage', 'io', 'bus', 'principals', 'types'] as const;

/** Each polyfill and the globals that it provides; twin of the `lazily` calls in guest/prelude.ts. */
export const POLYFILLS = {
  text: ['TextEncoder', 'TextDecoder'],
  base64: ['atob', 'btoa'],
  clone: ['structuredClone'],
  microtask: ['queueMicrotask'],
  url: ['URL', 'URLSearchParams'],
} as const;

export type GuestCode = Pick<BootSource, 'prelude' | 'modules' | 'polyfills'>;

let bundled: Promise<GuestCode> | undefined;

export function guestCode(): Promise<GuestCode> {
  bundled ??= bundleAll();
  return bundled;
}

async function bundleAll(): Promise<GuestCode> {
  const [prelude, modules, polyfills] = await Promise.all([
    bundleGuest(path.join(GUEST, 'prelude.ts'), 'iife'),
    Promise.all(
      HOST_MODULES.map(async (name) => ({
        name: `neira:host/${name}`,
        code: await bundleGuest(path.join(GUEST, `${name}.ts`), 'esm'),
      })),
    ),
    Promise.all(
      Object.entries(POLYFILLS).map(async ([name, globals]) => ({
        name,
        globals,
        code: await bundleGuest(path.join(GUEST, 'polyfills', `${name}.ts`), 'iife'),
      })),
    ),
  ]);
  return { prelude, modules, polyfills };
}
