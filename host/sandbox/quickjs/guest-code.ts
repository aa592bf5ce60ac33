/** The host's own guest code, bundled once a process and handed to every image that is built. */
import path from 'node:path';
import type { BootSource } from './boot-source.ts';
import { bundleGuest, bundlePolyfill } from './bundle.ts';

const GUEST = path.join(import.meta.dirname, 'guest');
export const HOST_MODULES = ['storage', 'io', 'bus', 'principals', 'timer', 'intl', 'types'] as const;

/** Each polyfill and the globals that it provides; twin of the calls of `globals` in guest/lazily.ts. */
export const POLYFILLS = {
  text: ['TextEncoder', 'TextDecoder'],
  base64: ['atob', 'btoa'],
  clone: ['structuredClone'],
  microtask: ['queueMicrotask'],
  url: ['URL', 'URLSearchParams'],
  intl: ['Intl'],
} as const;

/** Methods of the engine's own that a polyfill replaces; twin of the calls of `methods`. */
const METHODS: Readonly<Partial<Record<keyof typeof POLYFILLS, readonly string[]>>> = {
  intl: [
    'toLocaleString',
    'toLocaleDateString',
    'toLocaleTimeString',
    'toLocaleUpperCase',
    'toLocaleLowerCase',
    'localeCompare',
  ],
};

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
        methods: METHODS[name as keyof typeof POLYFILLS] ?? [],
        code: await bundlePolyfill(path.join(GUEST, 'polyfills', `${name}.ts`)),
      })),
    ),
  ]);
  return { prelude, modules, polyfills };
}
