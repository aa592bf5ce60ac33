import type { Problem } from '../schema.ts';

const ENGINE_FOLDERS = /^plugins\/(?:scripts|wasm)\//;
const EXTENSIONS = { script: /\.(?:ts|mts|js|mjs)$/, wasm: /\.wasm$/ } as const;

/**
 * `entry` relative to the plugin's folder. The source writes it from the root of the checkout
 * (`plugins/scripts/ui_pencil.ts`), so what may be the way to the folder is taken off (X-30): as far as
 * `files` says where they are known, and the plugin's own id otherwise.
 */
export function normaliseEntry(
  manifest: { readonly id: string; readonly kind: 'script' | 'wasm'; readonly entry: string },
  files: ReadonlySet<string> | undefined,
  problems: Problem[],
): string {
  const refuse = (message: string) => {
    problems.push({ path: 'entry', message });
    return manifest.entry;
  };
  const path = manifest.entry.replace(/^(?:\.\/)+/, '');
  if (path.endsWith('.rhai'))
    return refuse('is a Rhai script; write it in TypeScript and name the .ts file (X-24)');
  if (
    /^[/\\]|^[A-Za-z]:|\\|\p{Cc}/u.test(path) ||
    path.split('/').some((part) => ['', '.', '..'].includes(part))
  ) {
    return refuse('must be a path inside the plugin folder, with `/` between its parts');
  }
  if (!EXTENSIONS[manifest.kind].test(path)) {
    return refuse(manifest.kind === 'script' ? 'must be a .ts or .js file' : 'must be a .wasm file');
  }
  const candidates = candidatesOf(path, manifest.id);
  if (files === undefined) return candidates.at(-1)!;
  const found = candidates.find((each) => files.has(each)) ?? lastPartOf(path, files);
  if (found !== undefined) return found;
  const there = [...files].filter(
    (each) => EXTENSIONS[manifest.kind].test(each) && !each.includes('node_modules/'),
  );
  return refuse(
    `is not among the files; there ${there.length === 0 ? 'is none of its kind' : `are ${there.slice(0, 5).join(', ')}`}`,
  );
}

/** As written, without `plugins/<kind>/`, and without the folder named like the plugin. */
function candidatesOf(path: string, id: string): string[] {
  const inside = path.replace(ENGINE_FOLDERS, '');
  const [folder, ...rest] = inside.split('/');
  const alike = (name: string) => name.replace(/[._-]/g, '_');
  return [
    ...new Set([path, inside, ...(rest.length > 0 && alike(folder!) === alike(id) ? [rest.join('/')] : [])]),
  ];
}

/** `plugins/scripts/<any folder>/main.ts`, where the folder is not named like the plugin. */
function lastPartOf(path: string, files: ReadonlySet<string>): string | undefined {
  if (!ENGINE_FOLDERS.test(path)) return undefined;
  const rest = path.replace(ENGINE_FOLDERS, '').split('/').slice(1).join('/');
  return files.has(rest) ? rest : undefined;
}
