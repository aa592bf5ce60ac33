import { BOOT_LOOPS, LOOPS } from './cases/loops.ts';
import { hostileSuite } from './harness.ts';

hostileSuite('plugins that never end (HOST-06, HOST-12, HOST-25)', LOOPS, BOOT_LOOPS);
