import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Command, InvalidArgumentError } from 'commander';
import { NeiraError } from '../errors.ts';
import { run, type Session } from './command.ts';

const TEMPLATE_ID = 'hello';
const TEMPLATE = fileURLToPath(new URL(`../../plugins/scripts/${TEMPLATE_ID}`, import.meta.url));
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

/** Into a folder of another name first, so that nobody finds half a plugin. */
async function copyTemplate(id: string, target: string): Promise<void> {
  const building = `${target}.${process.pid}.tmp`;
  try {
    await mkdir(resolve(building, '..'), { recursive: true });
    await copyFolder(TEMPLATE, building, id);
    await mkdir(target);
    await rename(building, target);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST')
      throw new NeiraError('NEIRA_CONFLICT', { what: 'folder', id: target, by: 'what is there' });
    throw code === undefined
      ? error
      : new NeiraError('NEIRA_SOURCE_REFUSED', { reason: `${target} cannot be written (${code})` });
  } finally {
    await rm(building, { recursive: true, force: true });
  }
}

async function copyFolder(from: string, to: string, id: string): Promise<void> {
  await mkdir(to);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await copyFolder(source, target, id);
    else await writeFile(target, withId(await readFile(source, 'utf8'), id));
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
