/** Both engines, for a cell that is shared: by what it is given it knows which is meant. */
import { isComponent } from './component/built-component.ts';
import { componentEngine } from './component/component-engine.ts';
import type { Engine } from './engine.ts';
import type { ScriptParts } from './messages.ts';
import { engineModule } from './quickjs/engine.ts';
import { digestOfImage, type ScriptImage } from './quickjs/image.ts';
import { Instance } from './quickjs/instance.ts';
import { MAX_MEMORY_MB, STACK_AND_DATA_MB } from './quickjs/layout.ts';

export function everyEngine(parts: ScriptParts): Engine {
  const scripts = scriptEngine(parts);
  return {
    boot: (spec, ...rest) => (isComponent(spec.code) ? componentEngine : scripts).boot(spec, ...rest),
    restore: (image) => (image.kind === 'wasm' ? componentEngine.restore(image) : scripts.restore(image)),
    digest: (image) => (image.kind === 'wasm' ? componentEngine.digest(image) : scripts.digest(image)),
  };
}

function scriptEngine({ engine, guestCode }: ScriptParts): Engine<ScriptImage> {
  engineModule(engine);
  return {
    boot({ code, plugin, limits }, host, budget) {
      const memoryMb = Math.min(limits.memoryMb + STACK_AND_DATA_MB, MAX_MEMORY_MB);
      return Instance.boot({ ...guestCode, code, name: `plugin:${plugin}` }, memoryMb, host, budget);
    },
    restore: (image) => Instance.restore(image, guestCode.polyfills),
    digest: digestOfImage,
  };
}
