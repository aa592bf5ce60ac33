import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { FILES, ROOT, read } from './sources.ts';

/** The inventory lies beside the repository where the project is developed, not in it. */
const INVENTORY = path.resolve(ROOT, '../shared/requirements.md');
const absent = !existsSync(INVENTORY);

/** `UIT-03`, and the last of `HOST-29..32`. */
const CITED = /\b([A-Z]{1,5})-(\d{2})(?:\.\.(\d{2}))?(?![\w-])/g;

test.skipIf(absent)(
  `cited requirement ids exist${absent ? ' (skipped: ../shared/requirements.md is not there)' : ''}`,
  () => {
    const known = new Set(
      readFileSync(INVENTORY, 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('|'))
        .flatMap((line) => line.split('|')[1]!.match(/\b[A-Z]{1,5}-\d{2}\b/g) ?? []),
    );
    const families = new Set([...known].map((id) => id.slice(0, -3)));
    const unknown: string[] = [];
    let cited = 0;
    for (const file of FILES.filter((each) => /\.(?:ts|md|ya?ml|wit)$/.test(each))) {
      for (const [, family, first, last] of read(file).matchAll(CITED)) {
        if (!families.has(family!)) continue;
        cited++;
        for (const number of [first, last]) {
          const id = `${family}-${number}`;
          if (number !== undefined && !known.has(id)) unknown.push(`${file} cites ${id}`);
        }
      }
    }
    expect(unknown).toEqual([]);
    expect(cited).toBeGreaterThan(0);
  },
);
