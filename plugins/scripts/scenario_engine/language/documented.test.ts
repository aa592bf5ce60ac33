import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readScenario } from './read.ts';

const text = readFileSync(new URL('../LANGUAGE.md', import.meta.url), 'utf8');
const examples = [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, yaml]) => yaml!);

test.each(examples.map((yaml) => [/^id: (\w+)/m.exec(yaml)![1]!, yaml] as const))(
  'the documented scenario `%s` is read as it stands',
  (_, yaml) => {
    const read = readScenario({ files: { 'scenario.yaml': yaml }, entry: 'scenario.yaml' });
    expect(read.ok ? read.warnings : read.problems).toEqual([]);
  },
);
