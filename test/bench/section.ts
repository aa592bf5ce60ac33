/** One section in a process of its own; prints it as JSON. */
import type { Section } from './kit.ts';

const { run } = (await import(`./${process.argv[2]}.ts`)) as { run(): Promise<Section> };
const section = await run();
process.stdout.write(`${JSON.stringify(section)}\n`, () => process.exit(0));
