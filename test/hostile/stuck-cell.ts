/**
 * A cell for tests that can be made to hang or to die, which no guest can do to a real one: a log line of a
 * plugin says how. Everything else is the product's own cell, joined in host/cell-main.ts.
 */

import type { HostFunction } from '../../host/functions/arguments.ts';
import { hostFunctions } from '../../host/functions/table.ts';

const log = hostFunctions.get('io.log')!;

const FAULTS: Readonly<Record<string, () => void>> = {
  'fault: hang': () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
  'fault: exit': () => process.exit(3),
  'fault: heap': () => {
    for (const hoard: unknown[] = []; ; ) hoard.push(new Array(100_000).fill({}));
  },
  'fault: throw': () => {
    throw new Error('a mistake of a host function');
  },
};

const faulty: HostFunction = (turn, args, charge) => {
  FAULTS[args[1] ?? '']?.();
  return log(turn, args, charge);
};
(hostFunctions as Map<string, HostFunction>).set('io.log', faulty);

await import('../../host/cell-main.ts');
