import { BAD_IMPORTS, IMPORTS } from './cases/imports.ts';
import { hostileSuite } from './harness.ts';

hostileSuite('imports of what is not bundled (HOST-06, HOST-25)', IMPORTS, BAD_IMPORTS);
