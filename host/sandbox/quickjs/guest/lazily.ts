/**
 * Globals and methods that are loaded when they are first touched, so that a plugin that does not use them does not
 * carry them. The host touches those that a bundle names before it takes the image.
 */
import type { Given } from './polyfills/given.ts';

type Named = Record<string, unknown>;
type Polyfill = (given: Given) => void;

const { apply } = Reflect;
const { defineProperty } = Object;
const evaluate = eval;

function define(target: object, name: string, value: unknown): void {
  defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });
}

/** Answers what runs a polyfill that the host has evaluated itself. */
export function installPolyfills(source: (polyfill: string) => string, given: Given) {
  const install = (polyfill: Polyfill) => polyfill(given);

  function load(polyfill: string, names: readonly string[]): void {
    for (let i = 0; i < names.length; i++) delete (globalThis as Named)[names[i]!];
    install(evaluate(source(polyfill)) as Polyfill);
  }

  function globals(polyfill: string, ...names: string[]): void {
    for (const name of names) {
      defineProperty(globalThis, name, {
        configurable: true,
        enumerable: false,
        get() {
          load(polyfill, names);
          return (globalThis as Named)[name];
        },
        set: (value: unknown) => define(globalThis, name, value),
      });
    }
  }

  /** Methods that the engine has in a form of its own, which follows no language. */
  function methods(prototype: object, ...names: string[]): void {
    for (const name of names) {
      let real: unknown;
      define(prototype, name, function first(this: unknown, ...args: unknown[]) {
        if (real === undefined) {
          const there = (prototype as Named)[name];
          load('intl', ['Intl']);
          real = (prototype as Named)[name];
          // A plugin's own, that calls what it found before.
          if (there !== first) define(prototype, name, there);
        }
        return apply(real as () => unknown, this, args);
      });
    }
  }

  globals('text', 'TextEncoder', 'TextDecoder');
  globals('base64', 'atob', 'btoa');
  globals('clone', 'structuredClone');
  globals('microtask', 'queueMicrotask');
  globals('url', 'URL', 'URLSearchParams');
  globals('intl', 'Intl');
  methods(Date.prototype, 'toLocaleString', 'toLocaleDateString', 'toLocaleTimeString');
  methods(Number.prototype, 'toLocaleString');
  methods(BigInt.prototype, 'toLocaleString');
  methods(String.prototype, 'localeCompare', 'toLocaleUpperCase', 'toLocaleLowerCase');
  return install;
}
