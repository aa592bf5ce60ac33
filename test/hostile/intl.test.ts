import { BOOT_INTL, INTL } from './cases/intl.ts';
import { hostileSuite } from './harness.ts';

hostileSuite('the host’s Intl and its clock (HOST-25)', INTL, BOOT_INTL);
