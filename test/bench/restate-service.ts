/** The service that Restate calls: ten journaled steps, or one that acts. */
import { type Context, serve, service } from '@restatedev/restate-sdk';

const bench = service({
  name: 'bench',
  handlers: {
    steps: async (context: Context, count: number) => {
      let sum = 0;
      for (let n = 0; n < count; n++) sum += await context.run(`s${n}`, () => n);
      return sum;
    },
    act: async (context: Context, action: string) => {
      await context.run('act', async () => void (await fetch(action)));
    },
  },
});

await serve({ services: [bench], port: Number(process.argv[2]) });
