import { conditions, printSection } from './kit.ts';
console.log(conditions());
for (const name of process.argv.slice(2)) printSection(await (await import(`./${name}.ts`)).run());
