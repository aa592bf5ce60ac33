/** What a build follows from beside the component: where any of it differs, an older build is not used. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { hostWorld } from './host-world.ts';

const OWN_FOLDERS = [new URL('./', import.meta.url), new URL('../meter/', import.meta.url)];
const BUNDLER = new URL('../../quickjs/bundle.ts', import.meta.url);
/** jco and the bundler by the packages that are installed. */
const PACKAGES = ['@bytecodealliance/jco-transpile/component', 'esbuild'];

let own: string | undefined;

/** The name of a build: of its components, the limits that are built in, our WIT, jco, and the code that builds. */
export function buildKey(components: readonly Uint8Array[], settings: readonly unknown[]): string {
  own ??= ownDigest();
  const digests = components.map((bytes) => createHash('sha256').update(bytes).digest('hex'));
  return createHash('sha256')
    .update(JSON.stringify([own, settings, digests]))
    .digest('hex');
}

function ownDigest(): string {
  const hash = createHash('sha256').update(hostWorld().digest).update(process.version);
  for (const file of [...OWN_FOLDERS.flatMap(sourcesIn), BUNDLER]) hash.update(readFileSync(file));
  for (const name of PACKAGES) hash.update(versionOf(name));
  return hash.digest('hex');
}

function sourcesIn(folder: URL): URL[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .sort()
    .map((name) => new URL(name, folder));
}

function versionOf(name: string): string {
  const found = import.meta.resolve(name);
  const root = found.slice(0, found.lastIndexOf('/node_modules/') + '/node_modules/'.length);
  const [first, second] = found.slice(root.length).split('/');
  const folder = first!.startsWith('@') ? `${first}/${second}` : first!;
  return readFileSync(new URL(`${root}${folder}/package.json`), 'utf8');
}
