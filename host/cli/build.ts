import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { NeiraError } from '../errors.ts';
import { parseManifest } from '../registry/manifest.ts';
import { packagesOf } from '../registry/packages.ts';
import type { Built } from '../sandbox/guest-build/build.ts';
import { run, type Session } from './command.ts';

const MANIFEST = 'manifest.yaml';
const COMPONENT = 'plugin.wasm';
/** What of a script's folder goes along with its component: the source stays behind. */
const GOES_ALONG = ['events', 'README.md'];

export function addBuild(program: Command): void {
  program
    .command('build')
    .argument('[folder]', 'of the plugin', '.')
    .description('make the component of a plugin from its source; needs no host')
    .option(
      '--out <folder>',
      'where to put the component with its manifest; `dist` in the folder for a script',
    )
    .addHelpText('after', HELP)
    .action(run(build));
}

const HELP = `
A plugin of kind \`wasm\` is built from main.ts, main.as (AssemblyScript), main.c or main.rs in its folder, into the
file that its manifest names as \`entry\`. A plugin of kind \`script\` becomes a component of the same source in a
folder of its own; the script stays as it is.`;

async function build({ out }: Session, folder: string, { out: wanted }: { out?: string }): Promise<void> {
  const { id, language, file, bytes } = await buildInto(folder, wanted);
  out.result({ id, language, path: file, bytes }, () => {
    out.line(`${relative('.', file)} is built from ${language}: ${bytes} bytes`);
  });
}

/** Builds what is in `folder`, into `wanted` or where such a plugin's component belongs. */
export async function buildInto(given: string, wanted?: string) {
  const folder = resolve(given);
  const text = await readManifest(folder);
  const { id, kind, entry: named } = parseManifest(text);
  const home = resolve(wanted ?? (kind === 'wasm' ? folder : join(folder, 'dist')));
  const { component, language } =
    kind === 'wasm' ? await fromGuest(folder, id) : await fromScript(folder, id, named);
  const entry = kind === 'wasm' ? named : COMPONENT;
  await mkdir(home, { recursive: true });
  await writeFile(join(home, entry), component);
  if (home !== folder) {
    await writeFile(join(home, MANIFEST), kind === 'wasm' ? text : ofComponent(text));
    for (const name of GOES_ALONG.filter((each) => existsSync(join(folder, each))))
      await cp(join(folder, name), join(home, name), { recursive: true });
  }
  return { id, language, file: join(home, entry), bytes: component.length };
}

// Compilers are loaded by the command that needs them: all others start in half of the time.

async function fromGuest(folder: string, id: string): Promise<Built> {
  const { buildGuest } = await import('../sandbox/guest-build/build.ts');
  return buildGuest(folder, id);
}

async function fromScript(folder: string, id: string, entry: string): Promise<Built> {
  const { buildScriptComponent } = await import('../sandbox/guest-build/script.ts');
  const { folders } = await packagesOf(folder);
  return { language: 'typescript', component: await buildScriptComponent(folder, id, entry, folders) };
}

async function readManifest(folder: string): Promise<string> {
  try {
    return await readFile(join(folder, MANIFEST), 'utf8');
  } catch (error) {
    const reason = `there is no ${MANIFEST} in \`${folder}\` (${(error as NodeJS.ErrnoException).code})`;
    throw new NeiraError('NEIRA_SOURCE_REFUSED', { reason });
  }
}

/** The manifest of a script as that of its component, with all the author's words. */
function ofComponent(manifest: string): string {
  const text = manifest.replace(/^kind:.*$/m, 'kind: wasm').replace(/^entry:.*$/m, `entry: ${COMPONENT}`);
  const { kind, entry } = parseManifest(text);
  if (kind === 'wasm' && entry === COMPONENT) return text;
  throw new NeiraError('NEIRA_MANIFEST_INVALID', {
    errors: [{ path: 'kind', message: '`kind` and `entry` must stand on lines of their own to be replaced' }],
  });
}
