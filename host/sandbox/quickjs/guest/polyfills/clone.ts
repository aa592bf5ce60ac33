import structuredClone from '@ungap/structured-clone';

Object.assign(globalThis, { structuredClone: (value: unknown) => structuredClone(value) });
