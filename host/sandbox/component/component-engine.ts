import type { Engine } from '../engine.ts';
import { unpackComponent } from './built-component.ts';
import { type ComponentImage, digestOfComponentImage } from './component-image.ts';
import { ComponentInstance } from './component-instance.ts';

export const componentEngine: Engine<ComponentImage> = {
  boot: ({ code }, host, budget) => ComponentInstance.boot(unpackComponent(code), host, budget),
  restore: (image) => ComponentInstance.restore(image),
  digest: digestOfComponentImage,
};
