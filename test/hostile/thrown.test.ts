import { BOOT_THROWN, THROWN } from './cases/thrown.ts';
import { hostileSuite } from './harness.ts';

hostileSuite('what plugins throw and return (HOST-06)', THROWN, BOOT_THROWN);
