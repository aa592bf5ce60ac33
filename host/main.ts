/** Boot: settings, host, signals. `npm start` runs this; so does `neira up`. */
import { loadConfig } from './config.ts';
import { isNeiraError, toProblem } from './errors.ts';
import { openHost } from './host.ts';
import { createLogger } from './log.ts';

export async function main(argv: readonly string[]): Promise<void> {
  try {
    const config = loadConfig(process.env, argv);
    const log = createLogger({ level: config.logLevel });
    const host = await openHost(config, log);
    process.stdout.write(`neira listening on ${host.url}\n`);
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
