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
