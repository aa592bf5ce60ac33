import { expect, test } from 'vitest';
import { staleFiles } from '../../abi/gen.ts';

test('generated files are what `npm run gen` makes of their sources', () => {
  expect(staleFiles()).toEqual([]);
});
