import { BOOT_STACK, STACK_CASES } from './cases/stack.ts';
import { hostileSuite } from './harness.ts';

hostileSuite('recursion in every shape (HOST-06)', STACK_CASES, BOOT_STACK);
