/** What the bench uses of its peers, so that types are checked where they are not installed. */
declare module 'piscina' {
  export class Piscina {
    constructor(options: { filename: string; minThreads: number; maxThreads: number });
    run(task: unknown): Promise<unknown>;
    destroy(): Promise<void>;
  }
}
