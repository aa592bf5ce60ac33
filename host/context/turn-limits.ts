/** What one turn of a plugin may take. */
export interface TurnLimits {
  readonly turnMs: number;
  /** Waiting time of one turn, over all its waits. */
  readonly waitMs: number;
  readonly cpuMs: number;
  readonly memoryMb: number;
  readonly hostCalls: number;
  readonly publishes: number;
  readonly outputBytes: number;
  readonly logBytes: number;
  readonly storageMb: number;
  /** HTTP requests of one turn, and of all turns of the plugin within a minute. */
  readonly requests: number;
  readonly requestsPerMinute: number;
  /** Body of an answer over HTTP, decoded. */
  readonly responseBytes: number;
}
