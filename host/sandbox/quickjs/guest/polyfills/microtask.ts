import queueMicrotask from 'queue-microtask';

Object.assign(globalThis, { queueMicrotask });
