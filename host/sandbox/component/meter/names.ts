import type { Reader } from './reader.ts';
import { ModuleRefused } from './refusal.ts';
import { MAX_NAME_LENGTH } from './shape.ts';

/** Names that the rewriter adds begin with this; a module that uses it itself is refused. */
export const OWN_PREFIX = '$neira:';

/** The import that the rewriter adds: a mutable global of type i64, one for all modules of a component instance. */
export const fuelImport = { module: 'neira', name: 'fuel' } as const;

/** jco writes the names of core modules into its JavaScript as they are: whatever could end a string or comment stays out. */
const SAFE_NAME = /^[\w $.:@/|[\]#<>*+=,&?!%~^()-]*$/;
const SHOWN_CHARACTERS = 80;

/** Reads the two names of an import. */
export function importName(reader: Reader): string {
  const module = reader.name();
  const name = reader.name();
  check(module, 'imports from');
  check(name, 'imports');
  if (module === fuelImport.module || module.startsWith(OWN_PREFIX)) {
    throw new ModuleRefused('name', `the module imports from ${shown(module)}, which is the host's own name`);
  }
  return `${shown(module)} ${shown(name)}`;
}

export function exportName(reader: Reader): string {
  const name = reader.name();
  check(name, 'exports');
  if (name.startsWith(OWN_PREFIX)) {
    throw new ModuleRefused(
      'name',
      `the module exports ${shown(name)}; names in ${OWN_PREFIX} are the host's own`,
    );
  }
  return name;
}

/** Whether a core name may stand in the JavaScript that jco generates. */
export function isSafeName(name: string): boolean {
  return SAFE_NAME.test(name) && !name.includes('*/');
}

function check(name: string, does: string): void {
  if (name.length > MAX_NAME_LENGTH) {
    throw new ModuleRefused('name', `the module ${does} a name of more than ${MAX_NAME_LENGTH} characters`);
  }
  if (!isSafeName(name)) {
    throw new ModuleRefused(
      'name',
      `the module ${does} ${shown(name)}, which has characters that are not allowed`,
    );
  }
}

function shown(name: string): string {
  return JSON.stringify(name.slice(0, SHOWN_CHARACTERS));
}
