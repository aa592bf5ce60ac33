/** A built component as one text, which the host keeps as the code of a version. */
import type { BuiltComponent } from './build-component.ts';

/** Rises when the shape of the text changes. */
const FORM = 1;

export function packComponent(built: BuiltComponent): string {
  const { glue, modules, facts } = built;
  return JSON.stringify({ form: FORM, facts, glue, modules });
}

/** @throws Error for a text that {@link packComponent} did not make. */
export function unpackComponent(packed: string): BuiltComponent {
  const { form, facts, glue, modules } = JSON.parse(packed) as BuiltComponent & { readonly form: number };
  if (form !== FORM) throw new Error(`a packed component of the form ${form}, not ${FORM}`);
  return { glue, modules, facts };
}
