/** The JavaScript between the host and the core modules of a component, made fit for a thread of the host. */
import { NeiraError } from '../../../errors.ts';
import { bundleGlue } from '../../quickjs/bundle.ts';
import { tooMany } from './refusals.ts';

/** Ordinary glue has 150 to 400 KB; it grows with what the component is composed of. */
const MAX_GLUE_BYTES = 8 * 1024 * 1024;

export interface Glue {
  readonly code: string;
  readonly coreInstances: number;
}

/** @throws NEIRA_COMPONENT_TOO_COMPLEX, NEIRA_COMPONENT_TOO_MANY_PARTS */
export async function prepareGlue(source: string, maxCoreInstances: number): Promise<Glue> {
  if (source.length > MAX_GLUE_BYTES) {
    const reason = `the code that joins its parts is ${source.length} bytes; ${MAX_GLUE_BYTES} are allowed`;
    throw new NeiraError('NEIRA_COMPONENT_TOO_COMPLEX', { reason });
  }
  const coreInstances = source.split('= instantiateCore(').length - 1;
  // Those of the file were counted before; jco adds some where one component calls another.
  if (coreInstances > maxCoreInstances) throw tooMany('core instances', coreInstances, maxCoreInstances);
  return { code: await bundleGlue(source), coreInstances };
}
