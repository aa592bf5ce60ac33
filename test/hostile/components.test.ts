import { BOMBS, BOOTS, LIES, LOOPING, LOOPING_AND_WAITING, MEMORIES } from './cases/components.ts';
import { hostileSuite } from './harness.ts';

/** The thread that analyses components stays warm for a while, with what it grew to. */
const ANALYSIS_MB = 300;

hostileSuite(
  'components that attack (HOST-11, HOST-12, HOST-25, HOST-36)',
  [...LOOPING, ...LOOPING_AND_WAITING, ...BOMBS, ...LIES, ...MEMORIES],
  BOOTS,
  ANALYSIS_MB,
);
