/**
 * A package that is loaded when it is first used. Every cell is a thread with modules of its own: what most of them
 * never need – schemas, filters, YAML – would cost each some megabytes.
 */
import { createRequire } from 'node:module';

const load = createRequire(import.meta.url);

/** `const yaml = lazyPackage<typeof import('yaml')>('yaml')`, and then `yaml().parse(…)`. */
export function lazyPackage<Package>(name: string): () => Package {
  let loaded: Package | undefined;
  return () => {
    loaded ??= load(name) as Package;
    return loaded;
  };
}
