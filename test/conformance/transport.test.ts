import { afterAll, beforeAll, describe, test } from 'vitest';
import { DELIVERY } from './transport-cases.ts';
import { CaseBus, type JoinedHosts, openLinked, openLocal, type Transport } from './transport-kit.ts';
import { ROUTING } from './transport-routing-cases.ts';
import { WAITING } from './transport-waiting-cases.ts';

// BUS-11, BUS-20, BUS-21, BUS-25: what the bus promises, whatever carries events between hosts.

/** A transport joins the table with an entry here. */
const TRANSPORTS: readonly Transport[] = [
  { name: 'local', open: openLocal },
  // Stands for one that joins hosts: what it does to messages is worse than what a network does.
  { name: 'linked', open: openLinked, joins: true },
];

describe.each(TRANSPORTS)('over the transport `$name`', ({ open, joins }) => {
  let hosts: JoinedHosts;
  beforeAll(async () => {
    hosts = await open();
  });
  afterAll(() => hosts[Symbol.asyncDispose]());

  const table = [...DELIVERY, ...ROUTING, ...WAITING].filter(({ within }) => !joins || !within);
  const cases = table.map((each, index) => ({
    ...each,
    space: `case${index}`,
  }));
  test.each(cases)('$claim', ({ run, space }) => run(new CaseBus(hosts, space)));
});
