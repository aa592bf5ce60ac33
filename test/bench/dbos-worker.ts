/** A process of DBOS: `durable steps`, `hearing`, `crash` or `recover`; prints what it measured as JSON. */
import { DBOS } from '@dbos-inc/dbos-sdk';
import { median, quantile } from './kit.ts';

const [, , phase = '', url = '', ...rest] = process.argv;
const STEPS = 10;
const told = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`);

DBOS.setConfig({
  name: 'bench',
  systemDatabaseUrl: url,
  logLevel: 'error',
  systemDatabasePoolSize: 20,
  runAdminServer: false,
});

const steps = DBOS.registerWorkflow(
  async (count: number) => {
    let sum = 0;
    for (let n = 0; n < count; n++) sum += await DBOS.runStep(async () => n, { name: `s${n}` });
    return sum;
  },
  { name: 'steps' },
);

const hears = DBOS.registerWorkflow(
  async (action: string) => {
    const { at } = (await DBOS.recv<{ at: number }>('topic', 60))!;
    await DBOS.runStep(async () => void (await fetch(`${action}?at=${at}`)), { name: 'act' });
  },
  { name: 'hears' },
);

let ran = 0;
let ended = 0;
const half = DBOS.registerWorkflow(
  async () => {
    for (let n = 0; n < STEPS; n++) {
      if (n === STEPS / 2 && phase === 'crash') await new Promise(() => {});
      await DBOS.runStep(async () => void ran++, { name: `s${n}` });
    }
    ended++;
  },
  { name: 'half' },
);

async function inFlight(count: number, clients: number) {
  const latencies: number[] = [];
  let left = count;
  const started = performance.now();
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (left-- > 0) {
        const at = performance.now();
        await (await DBOS.startWorkflow(steps)(STEPS)).getResult();
        latencies.push(performance.now() - at);
      }
    }),
  );
  const stepsPerS = (count * STEPS * 1000) / (performance.now() - started);
  return { stepsPerS, p50: median(latencies), p99: quantile(latencies, 0.99) };
}

const until = async (is: () => boolean) => {
  while (!is()) await new Promise((resolve) => setTimeout(resolve, 5));
};

await DBOS.launch();
if (phase === 'steps') {
  await inFlight(60, 8);
  told(await inFlight(Number(rest[0]), Number(rest[1])));
} else if (phase === 'hearing') {
  for (let n = 0; n < Number(rest[1]); n++) {
    const workflow = await DBOS.startWorkflow(hears)(rest[0]!);
    await new Promise((resolve) => setTimeout(resolve, 15));
    await DBOS.send(workflow.workflowID, { at: performance.timeOrigin + performance.now() }, 'topic');
    await workflow.getResult();
  }
} else if (phase === 'crash') {
  for (let n = 0; n < Number(rest[0]); n++) await DBOS.startWorkflow(half)();
  await until(() => ran >= (Number(rest[0]) * STEPS) / 2);
  await new Promise((resolve) => setTimeout(resolve, 300));
  process.kill(process.pid, 'SIGKILL');
} else {
  await until(() => ended >= Number(rest[0]));
  told({ ms: performance.now(), ran });
}
await DBOS.shutdown();
process.exit(0);
