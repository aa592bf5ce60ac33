import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Command, InvalidArgumentError } from 'commander';
import { NeiraError } from '../errors.ts';
import { run, type Session } from './command.ts';

const TEMPLATE_ID = 'hello';
const TEMPLATE = fileURLToPath(new URL(`../../plugins/scripts/${TEMPLATE_ID}`, import.meta.url));
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
    .action(run(create));
}

async function create({ out }: Session, id: string, { dir }: { dir: string }): Promise<void> {
  const target = resolve(dir, id);
  await copyTemplate(id, target);
  const files = (await readdir(target, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => relative(target, join(entry.parentPath, entry.name)))
    .sort();
  const shown = relative('.', target) || '.';
  out.result({ id, path: target, files }, () => {
    out.line(`${shown} is there: ${files.join(', ')}`);
    out.remark(`Run it with \`neira plugin add ${shown} --enable --grant all\`.`);
  });
}

/** Making the folder claims it; what could not be finished is taken away again. */
async function copyTemplate(id: string, target: string): Promise<void> {
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
    await copyInto(TEMPLATE, target, (text) => withId(text, id).replaceAll(KIT_FROM_TEMPLATE, kit));
  } catch (error) {
    await rm(target, { recursive: true, force: true });
    throw unwritable(error as NodeJS.ErrnoException);
  }
}

async function copyInto(from: string, to: string, adapt: (text: string) => string): Promise<void> {
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
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
export function withId(text: string, id: string): string {
  return text
    .replace(/(?<=["'`./{:[] ?)hello(?=["'`./@,}\]]|$)/gm, id)
    .replace(/(?<![\w-])hello(?=\.\w)/g, id);
}

function readId(text: string): string {
  if (!ID.test(text) || text.length > 64)
    throw new InvalidArgumentError('It must be lower-case letters, digits and `_`, with dots between parts.');
  return text;
}
