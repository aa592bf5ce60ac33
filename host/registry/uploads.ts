/** Folders of plugins that were sent, not pointed to: they lie inside the home. */
import { existsSync, mkdirSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Manifest } from './manifest.ts';
import type { PluginSignature } from './signature.ts';
import { SIGNATURE_FILE, type SourceTree } from './source.ts';

/** The folder of an upload: swapped in just before the commit, and back when the commit fails. */
export class UploadFolder implements Disposable {
  readonly path: string;
  readonly staging: string;
  readonly #aside: string;
  #swapped = false;

  constructor(folder: string, staging: string) {
    this.path = folder;
    this.staging = staging;
    this.#aside = `${staging}.old`;
  }

  swapIn(): void {
    mkdirSync(path.dirname(this.path), { recursive: true });
    if (existsSync(this.path)) renameSync(this.path, this.#aside);
    renameSync(this.staging, this.path);
    this.#swapped = true;
  }

  keep(): void {
    this.#swapped = false;
  }

  [Symbol.dispose](): void {
    if (this.#swapped) {
      rmSync(this.path, { recursive: true, force: true });
      if (existsSync(this.#aside)) renameSync(this.#aside, this.path);
    }
    rmSync(this.staging, { recursive: true, force: true });
    rmSync(this.#aside, { recursive: true, force: true });
  }
}

export class Uploads {
  readonly #plugins: string;
  #number = 0;

  constructor(home: string) {
    this.#plugins = path.join(realpathSync(home), 'plugins');
  }

  /** Removes what a host that died left half done. */
  tidy(): void {
    rmSync(this.#staging, { recursive: true, force: true });
  }

  /** Writes the files where they can be built; a signature that came apart goes beside them. */
  stage({ id, kind }: Manifest, tree: SourceTree, signature: PluginSignature | undefined): UploadFolder {
    const staging = path.join(this.#staging, `${id}-${process.pid}-${++this.#number}`);
    const files = new Map(tree.files);
    if (signature) files.set(SIGNATURE_FILE, Buffer.from(`${JSON.stringify(signature, null, 2)}\n`));
    for (const [name, bytes] of files) {
      const file = path.join(staging, name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, bytes);
    }
    // Inside `plugins/scripts` or `plugins/wasm` of the home; the id cannot name anything else.
    return new UploadFolder(path.join(this.#plugins, kind === 'script' ? 'scripts' : 'wasm', id), staging);
  }

  get #staging(): string {
    return path.join(this.#plugins, '.staging');
  }
}
