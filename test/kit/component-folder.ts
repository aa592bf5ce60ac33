/** The component that `neira build` makes of a plugin's source, in a folder of its own beside nothing else. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { buildInto } from '../../host/cli/build.ts';

export interface ComponentFolder extends Disposable {
  readonly folder: URL;
  /** For `bootPlugin`: where what the host makes of it is kept from boot to boot. */
  readonly components: string;
}

/** @param cpuMs in place of the limit that the manifest names */
export async function componentFolder(source: URL, cpuMs?: number): Promise<ComponentFolder> {
  const home = mkdtempSync(path.join(tmpdir(), 'neira-component-'));
  const folder = path.join(home, 'plugin');
  await buildInto(fileURLToPath(source), folder);
  const manifest = path.join(folder, 'manifest.yaml');
  const text = readFileSync(manifest, 'utf8');
  if (cpuMs !== undefined)
    writeFileSync(
      manifest,
      text.replace(/cpu_ms: \d+/, `cpu_ms: ${cpuMs}`).replace(/turn_ms: \d+/, `turn_ms: ${2 * cpuMs}`),
    );
  return {
    folder: pathToFileURL(folder + path.sep),
    components: path.join(home, 'cache'),
    [Symbol.dispose]: () => rmSync(home, { recursive: true, force: true }),
  };
}
