import { BOOT_MEMORY, MEMORY_CASES } from './cases/memory.ts';
import { hostileSuite } from './harness.ts';

hostileSuite('memory in every shape (HOST-12, HOST-25)', MEMORY_CASES, BOOT_MEMORY);
