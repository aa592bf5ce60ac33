/** What people say to others and no rule of a house means, a sentence a line. */
import { readFileSync } from 'node:fs';

const read = (language: string) =>
  readFileSync(new URL(`out-of-scope.${language}.txt`, import.meta.url), 'utf8')
    .trim()
    .split('\n');

export const OUT_OF_SCOPE = { en: read('en'), ru: read('ru') } as const;
