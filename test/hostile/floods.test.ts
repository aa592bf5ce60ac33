import { BOOT_FLOODS, FLOODS } from './cases/floods.ts';
import { hostileSuite } from './harness.ts';

hostileSuite('too much of everything (HOST-25)', FLOODS, BOOT_FLOODS);
