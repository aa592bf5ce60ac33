/** The JavaScript between the host and the core modules of a component, made fit for a thread of the host. */
import { isNeiraError, NeiraError } from '../../../errors.ts';
import { bundleGlue } from '../../quickjs/bundle.ts';
import { tooMany, unsupported } from './refusals.ts';

/** Ordinary glue has 150 to 400 KB; it grows with what the component is composed of. */
const MAX_GLUE_BYTES = 8 * 1024 * 1024;

/**
 * How jco prints what it does: without the definition, the bundler takes the calls for those of a function that
 * is somewhere else, and drops them with what they would have printed.
 */
const DEBUG_LOG = /^ *const _debugLog = \(\.\.\.args\) => \{\n.*\n.*\n *\};$/m;

export interface Glue {
  readonly code: string;
  readonly coreInstances: number;
}

/** @throws NEIRA_COMPONENT_TOO_COMPLEX, NEIRA_COMPONENT_TOO_MANY_PARTS, NEIRA_COMPONENT_UNSUPPORTED */
export async function prepareGlue(source: string, maxCoreInstances: number): Promise<Glue> {
  if (source.length > MAX_GLUE_BYTES) {
    const reason = `the code that joins its parts is ${source.length} bytes; ${MAX_GLUE_BYTES} are allowed`;
    throw new NeiraError('NEIRA_COMPONENT_TOO_COMPLEX', { reason });
  }
  const coreInstances = source.split('= instantiateCore(').length - 1;
  // Those of the file were counted before; jco adds some where one component calls another.
  if (coreInstances > maxCoreInstances) throw tooMany('core instances', coreInstances, maxCoreInstances);
  return { code: await bundle(source.replace(DEBUG_LOG, '')), coreInstances };
}

/** jco makes variables of names and does not see to it that all differ: such a component cannot be joined. */
async function bundle(source: string): Promise<string> {
  try {
    return await bundleGlue(source);
  } catch (error) {
    if (!isNeiraError(error)) throw error;
    throw unsupported(`names of which no valid JavaScript can be made (${error.details['reason']})`);
  }
}
