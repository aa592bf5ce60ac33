import { BUILTINS } from './cases/builtins.ts';
import { hostileSuite } from './harness.ts';

hostileSuite('built-ins that never poll (HOST-06, HOST-25)', BUILTINS);
