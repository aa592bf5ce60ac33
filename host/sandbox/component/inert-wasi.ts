/**
 * The few WASI 0.2 interfaces that a component may import: clocks and randomness, which are those of the turn, and
 * standard output, which is the plugin's log. Nothing of the machine is behind them, and nothing of them waits.
 */
import type { ComponentRun } from './component-run.ts';

/** A line of output that is longer is logged in parts. */
const MAX_LINE_CHARS = 4096;
/** What one write may bring; WASI asks writers to ask first. */
const WRITE_BYTES = 4096n;
const NANOSECONDS_PER_MS = 1_000_000n;
const MAX_RANDOM_BYTES = 65_536n;

export function inertWasi(run: ComponentRun): Record<string, Record<string, unknown>> {
  class StreamError {
    toDebugString(): string {
      return 'the stream is closed';
    }
  }

  class Pollable {
    ready(): boolean {
      return true;
    }
    block(): never {
      throw new Error('waiting by WASI is not available: call `sleep` of neira:host/timer');
    }
  }

  class InputStream {
    read = closed;
    blockingRead = closed;
    skip = closed;
    blockingSkip = closed;
    subscribe(): Pollable {
      return new Pollable();
    }
  }

  class OutputStream {
    #level: 'info' | 'warn' = 'info';
    #rest = '';
    readonly #decoder = new TextDecoder();

    static of(level: 'info' | 'warn'): OutputStream {
      const stream = new OutputStream();
      stream.#level = level;
      run.onEnd(() => stream.#flushLine());
      return stream;
    }

    checkWrite(): bigint {
      return WRITE_BYTES;
    }
    write(bytes: Uint8Array): void {
      this.#rest += this.#decoder.decode(bytes, { stream: true });
      const lines = this.#rest.split('\n');
      this.#rest = lines.pop()!;
      for (const line of lines) this.#log(line);
      if (this.#rest.length > MAX_LINE_CHARS) this.#flushLine();
    }
    blockingWriteAndFlush(bytes: Uint8Array): void {
      this.write(bytes);
    }
    writeZeroes(count: bigint): void {
      if (count > WRITE_BYTES) throw { tag: 'closed' };
      this.write(new Uint8Array(Number(count)));
    }
    blockingWriteZeroesAndFlush(count: bigint): void {
      this.writeZeroes(count);
    }
    flush(): void {}
    blockingFlush(): void {}
    splice = closed;
    blockingSplice = closed;
    subscribe(): Pollable {
      return new Pollable();
    }

    #flushLine(): void {
      if (this.#rest !== '') this.#log(this.#rest);
      this.#rest = '';
    }
    #log(line: string): void {
      run.log(this.#level, line);
    }
  }

  const bytes = (count: bigint) => {
    if (count > MAX_RANDOM_BYTES) throw new Error(`at most ${MAX_RANDOM_BYTES} random bytes at a time`);
    return run.randomBytes(Number(count));
  };
  const word = () => new DataView(run.randomBytes(8).slice().buffer).getBigUint64(0, true);
  const pollable = () => {
    run.usesResources();
    return new Pollable();
  };
  const output = (level: 'info' | 'warn') => {
    run.usesResources();
    return OutputStream.of(level);
  };
  return {
    'wasi:io/error': { Error: StreamError },
    'wasi:io/streams': { InputStream, OutputStream },
    'wasi:io/poll': { Pollable, poll: (all: readonly unknown[]) => Uint32Array.from(all, (_, at) => at) },
    'wasi:cli/stdout': { getStdout: () => output('info') },
    'wasi:cli/stderr': { getStderr: () => output('warn') },
    'wasi:clocks/wall-clock': {
      now: () => {
        const ms = run.nowMs();
        return { seconds: BigInt(Math.floor(ms / 1000)), nanoseconds: (ms % 1000) * 1_000_000 };
      },
      resolution: () => ({ seconds: 0n, nanoseconds: 1_000_000 }),
    },
    'wasi:clocks/monotonic-clock': {
      now: () => BigInt(run.nowMs()) * NANOSECONDS_PER_MS,
      resolution: () => NANOSECONDS_PER_MS,
      subscribeInstant: pollable,
      subscribeDuration: pollable,
    },
    'wasi:random/random': { getRandomBytes: bytes, getRandomU64: word },
    'wasi:random/insecure': { getInsecureRandomBytes: bytes, getInsecureRandomU64: word },
    'wasi:random/insecure-seed': { insecureSeed: () => [word(), word()] },
  };
}

/** How WASI says that there is no more. */
function closed(): never {
  throw { tag: 'closed' };
}
