/** A component out of the source in a plugin's folder, whatever language it is in. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { NeiraError } from '../../errors.ts';
import { buildCoreGuest } from './compilers.ts';
import { componentOf } from './compose.ts';
import { buildScriptComponent } from './script.ts';

/** By the file that a plugin's source begins in. */
export const LANGUAGES = {
  'main.ts': 'typescript',
  'main.as': 'assemblyscript',
  'main.c': 'c',
  'main.rs': 'rust',
} as const;

export type Language = (typeof LANGUAGES)[keyof typeof LANGUAGES];
export type SourceFile = keyof typeof LANGUAGES;

export interface Built {
  readonly component: Uint8Array;
  readonly language: Language;
}

/**
 * Builds the source of a component plugin, which is known by the name of its file.
 * @throws NEIRA_BUILD_FAILED where there is none or more than one, where a compiler is missing, and with what it says
 */
export async function buildGuest(folder: string, plugin: string): Promise<Built> {
  const names = Object.keys(LANGUAGES) as SourceFile[];
  const found = names.filter((name) => existsSync(path.join(folder, name)));
  const [source] = found;
  if (source === undefined || found.length > 1) {
    const reason = `there is ${found.length === 0 ? 'none' : found.join(' and ')} of ${names.join(', ')}`;
    throw new NeiraError('NEIRA_BUILD_FAILED', { what: 'one source file is looked for', reason });
  }
  const language = LANGUAGES[source];
  if (language === 'typescript')
    return { language, component: await buildScriptComponent(folder, plugin, source) };
  const guest = await buildCoreGuest(language, folder, source);
  return { language, component: await asComponent(guest) };
}

async function asComponent(guest: Parameters<typeof componentOf>[0]): Promise<Uint8Array> {
  try {
    return await componentOf(guest);
  } catch (error) {
    // What wasm-tools throws carries its words in `payload`.
    const reason = String((error as { readonly payload?: unknown }).payload ?? error).trim();
    throw new NeiraError('NEIRA_BUILD_FAILED', {
      what: 'its exports and imports are not those of a plugin',
      reason,
    });
  }
}
