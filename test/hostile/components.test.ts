import { BOMBS, BOOTS, LIES, LOOPING, MEMORIES } from './cases/components.ts';
import { hostileSuite } from './harness.ts';

hostileSuite(
  'components that attack (HOST-11, HOST-12, HOST-25, HOST-36)',
  [...LOOPING, ...BOMBS, ...LIES, ...MEMORIES],
  BOOTS,
);
