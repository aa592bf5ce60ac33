import { POLLUTION } from './cases/pollution.ts';
import { hostileSuite } from './harness.ts';

hostileSuite('prototypes and built-ins replaced (HOST-06)', POLLUTION);
