/** Boot: settings, host, signals. `npm start` runs this; so does `neira up`. */
import { enableCompileCache } from 'node:module';
import path from 'node:path';

/** Compiled code of the host, beside the packages it is made of; where it cannot be written, boots are slower. */
const COMPILE_CACHE = path.join(import.meta.dirname, '../node_modules/.cache/neira');

export async function main(argv: readonly string[]): Promise<void> {
  enableCompileCache(COMPILE_CACHE);
  // For the threads, which are started with an environment.
  process.env['NODE_COMPILE_CACHE'] ??= COMPILE_CACHE;
  const [{ loadConfig }, { isNeiraError, toProblem }, { openHost }, { createLogger }] = await Promise.all([
    import('./config.ts'),
    import('./errors.ts'),
    import('./host.ts'),
    import('./log.ts'),
  ]);
  try {
    const config = loadConfig(process.env, argv);
    const log = createLogger({ level: config.logLevel });
    const host = await openHost(config, log);
    process.stdout.write(`neira listening on ${host.url}\n`);
    // What was acknowledged is safe; only a new process can go on.
    void host.failed.then(() => process.exit(1));
    const stop = (signal: string) => {
      log.info({ signal }, 'stopping');
      host.close().then(
        () => process.exit(0),
        (err: unknown) => {
          log.error({ err }, 'could not stop in order');
          process.exit(1);
        },
      );
    };
    process.once('SIGTERM', stop);
    process.once('SIGINT', stop);
  } catch (error) {
    if (!isNeiraError(error)) throw error;
    const { detail, remedy } = toProblem(error);
    process.stderr.write(`neira: ${detail} ${remedy}\n`);
    process.exit(1);
  }
}

if (import.meta.main) await main(process.argv.slice(2));
