/** What the bench uses of its peers, so that types are checked where they are not installed. */
declare module 'piscina' {
  export class Piscina {
    constructor(options: { filename: string; minThreads: number; maxThreads: number });
    run(task: unknown): Promise<unknown>;
    destroy(): Promise<void>;
  }
}

declare module 'bullmq' {
  interface Connection {
    readonly host: string;
    readonly port: number;
    readonly maxRetriesPerRequest: null;
  }
  export interface JobsOptions {
    readonly removeOnComplete?: boolean;
  }
  export class Queue {
    constructor(name: string, options: { connection: Connection });
    add(name: string, data: unknown, options?: JobsOptions): Promise<unknown>;
    waitUntilReady(): Promise<unknown>;
    close(): Promise<void>;
  }
  export class Worker {
    constructor(
      name: string,
      work: (job: { readonly data: unknown }) => Promise<void>,
      options: { connection: Connection; concurrency: number },
    );
    on(event: 'completed', listener: (job: { readonly data: unknown }) => void): this;
    on(event: 'failed', listener: (job: unknown, error: Error) => void): this;
    waitUntilReady(): Promise<unknown>;
    close(force: boolean): Promise<void>;
  }
}

declare module 'ioredis' {
  export class Redis {
    constructor(options: { host: string; port: number; maxRetriesPerRequest: null });
    set(key: string, value: string): Promise<unknown>;
    info(section: string): Promise<string>;
    disconnect(): void;
  }
}

declare module '@extism/extism' {
  interface Plugin {
    call(name: string, input: string): Promise<{ text(): string } | null>;
    close(): Promise<void>;
  }
  export default function createPlugin(
    manifest: { readonly wasm: readonly { readonly data: Uint8Array }[] },
    options: { readonly useWasi: boolean; readonly runInWorker?: boolean },
  ): Promise<Plugin>;
}

declare module '@dbos-inc/dbos-sdk' {
  interface Handle<T> {
    readonly workflowID: string;
    getResult(): Promise<T>;
  }
  export const DBOS: {
    setConfig(config: object): void;
    registerWorkflow<A extends unknown[], T>(
      work: (...given: A) => Promise<T>,
      options: { name: string },
    ): (...given: A) => Promise<T>;
    startWorkflow<A extends unknown[], T>(
      workflow: (...given: A) => Promise<T>,
    ): (...given: A) => Promise<Handle<T>>;
    runStep<T>(step: () => Promise<T>, options: { name: string }): Promise<T>;
    recv<T>(topic: string, timeoutS: number): Promise<T | null>;
    send(workflow: string, message: unknown, topic: string): Promise<void>;
    launch(): Promise<void>;
    shutdown(): Promise<void>;
  };
}

declare module '@restatedev/restate-sdk' {
  export interface Context {
    run<T>(name: string, step: () => T | Promise<T>): Promise<T>;
  }
  export function service(definition: {
    name: string;
    handlers: Readonly<Record<string, (context: Context, payload: never) => Promise<unknown>>>;
  }): unknown;
  export function serve(options: { services: readonly unknown[]; port: number }): Promise<number>;
}
