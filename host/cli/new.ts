import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { NeiraError } from '../errors.ts';
import { run, type Session } from './command.ts';

/** A living template, and the id that it has itself. */
interface Template {
  readonly id: string;
  readonly folder: string;
}

const SCRIPT: Template = { id: 'hello', folder: 'scripts/hello' };
/** Of components, by the language of their source. */
const COMPONENTS = {
  ts: { id: 'hello.ts', folder: 'wasm/hello_ts' },
  assemblyscript: { id: 'hello.as', folder: 'wasm/hello_as' },
  c: { id: 'hello.c', folder: 'wasm/hello_c' },
  rust: { id: 'hello.rust', folder: 'wasm/hello_rust' },
} as const satisfies Record<string, Template>;

type Language = keyof typeof COMPONENTS;
const PLUGINS = fileURLToPath(new URL('../../plugins/', import.meta.url));
/** The template's test imports the kit of the checkout by a path of its own place. */
const KIT_FROM_TEMPLATE = '../../../test/kit/';
const KIT = fileURLToPath(new URL('../../test/kit', import.meta.url));
const ID = /^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$/;

export function addNew(program: Command): void {
  program
    .command('new')
    .argument('<id>', 'lower-case letters, digits and `_`, with dots between parts', readId)
    .description('start a plugin from the template; needs no host')
    .option('--dir <folder>', 'where to put its folder', '.')
    .addOption(
      new Option('--kind <kind>', 'a script, or a component').choices(['script', 'wasm']).default('script'),
    )
    .addOption(
      new Option('--lang <language>', 'what a component is written in (ts)').choices(Object.keys(COMPONENTS)),
    )
    .action(run(create));
}

interface Wanted {
  readonly dir: string;
  readonly kind: 'script' | 'wasm';
  readonly lang?: Language;
}

async function create({ out, usage }: Session, id: string, { dir, kind, lang }: Wanted): Promise<void> {
  if (kind === 'script' && lang !== undefined)
    usage('--lang is of components: say --kind wasm too. A script is in TypeScript.');
  const target = resolve(dir, id);
  await copyTemplate(kind === 'script' ? SCRIPT : COMPONENTS[lang ?? 'ts'], id, target);
  const files = (await readdir(target, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => relative(target, join(entry.parentPath, entry.name)))
    .sort();
  const shown = relative('.', target) || '.';
  out.result({ id, path: target, files }, () => {
    out.line(`${shown} is there: ${files.join(', ')}`);
    if (kind === 'wasm') out.remark(`Build it with \`neira build ${shown}\`.`);
    out.remark(`Run it with \`neira plugin add ${shown} --enable --grant all\`.`);
  });
}

/** Making the folder claims it; what could not be finished is taken away again. */
async function copyTemplate(template: Template, id: string, target: string): Promise<void> {
  const unwritable = ({ code }: NodeJS.ErrnoException): NeiraError =>
    code === 'EEXIST'
      ? new NeiraError('NEIRA_CONFLICT', { what: 'folder', id: target, by: 'what is there' })
      : new NeiraError('NEIRA_SOURCE_REFUSED', { reason: `\`${target}\` cannot be written (${code})` });
  try {
    await mkdir(dirname(target), { recursive: true });
    await mkdir(target);
  } catch (error) {
    throw unwritable(error as NodeJS.ErrnoException);
  }
  try {
    const kit = `${relative(target, KIT).split(sep).join('/')}/`;
    await copyInto(join(PLUGINS, template.folder), target, (text) =>
      withId(text, id, template.id).replaceAll(KIT_FROM_TEMPLATE, kit),
    );
  } catch (error) {
    await rm(target, { recursive: true, force: true });
    throw unwritable(error as NodeJS.ErrnoException);
  }
}

async function copyInto(from: string, to: string, adapt: (text: string) => string): Promise<void> {
  for (const entry of await readdir(from, { withFileTypes: true })) {
    // What is built follows from the source, and is not the new plugin's.
    if (entry.name.startsWith('.') || entry.name === 'node_modules' || entry.name.endsWith('.wasm')) continue;
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) {
      await mkdir(target);
      await copyInto(source, target, adapt);
    } else await writeFile(target, adapt(await readFile(source, 'utf8')));
  }
}

/**
 * The template's id where it stands as a name: quoted, in a dotted name, in a path, or as a plain value of the
 * manifest. A "hello" in a sentence stays.
 */
export function withId(text: string, id: string, template = SCRIPT.id): string {
  const own = template.replaceAll('.', '\\.');
  return text
    .replace(new RegExp(`(?<=["'\`./{:[] ?)${own}(?=["'\`./@,}\\]]|$)`, 'gm'), id)
    .replace(new RegExp(`(?<![\\w-])${own}(?=\\.\\w)`, 'g'), id);
}

function readId(text: string): string {
  if (!ID.test(text) || text.length > 64)
    throw new InvalidArgumentError('It must be lower-case letters, digits and `_`, with dots between parts.');
  return text;
}
