import { BORDERS } from './cases/borders.ts';
import { hostileSuite } from './harness.ts';

hostileSuite('what is not the plugin’s own (HOST-06)', BORDERS);
