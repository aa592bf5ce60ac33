/** Refusals that several stages of a build share. */
import { NeiraError } from '../../../errors.ts';

/** The refusal of a name, shown so that nothing in it reaches a terminal or a page as it is. */
export function unsafeName(name: string): NeiraError {
  return unsafeNameSaid(JSON.stringify(name.slice(0, 80)));
}

/** @param words that show the name, and say where it is */
export function unsafeNameSaid(words: string): NeiraError {
  return new NeiraError('NEIRA_COMPONENT_NAME', { name: words.replace(/[^ -~]/g, '?') });
}

export function unsupported(feature: string): NeiraError {
  return new NeiraError('NEIRA_COMPONENT_UNSUPPORTED', { feature });
}

export function tooMany(what: string, count: number, max: number): NeiraError {
  return new NeiraError('NEIRA_COMPONENT_TOO_MANY_PARTS', { what, count, max });
}
