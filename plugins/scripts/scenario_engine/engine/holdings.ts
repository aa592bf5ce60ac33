/**
 * Locks and pools, which runs share (SCN-12, SCN-14). Whoever needs several gets all of them or none, in the order in
 * which they asked: nobody waits with something in its hands, so no two wait for each other.
 */
import { delete as drop, get, set } from 'neira:host/storage';
import type { Run } from '../run/state.ts';
import { keys } from './keys.ts';
import { settingsNow } from './settings.ts';
import { tellRun } from './tell.ts';

interface Claim {
  readonly run: string;
  readonly number: number;
  readonly names: readonly string[];
}

interface Holding {
  readonly holders: readonly Claim[];
  readonly waiting: readonly Claim[];
}

const FREE: Holding = { holders: [], waiting: [] };
const POOL = 'pool:';

export function takeHoldings({ id, within = [] }: Run, names: readonly string[], number: number): boolean {
  const rows = readAll(names);
  const claim: Claim = { run: id, number, names };
  const isFree = names.every((name) => {
    const { holders, waiting } = rows.get(name)!;
    const others = holders.filter(({ run }) => !within.includes(run));
    return waiting.length === 0 && others.length < capacityOf(name);
  });
  for (const name of names) {
    const { holders, waiting } = rows.get(name)!;
    put(name, isFree ? { holders: [...holders, claim], waiting } : { holders, waiting: [...waiting, claim] });
  }
  return isFree;
}

export function giveHoldings({ id }: Run, names: readonly string[], number: number): void {
  const rows = readAll(names);
  const isOther = (claim: Claim) => claim.run !== id || claim.number !== number;
  for (const [name, { holders, waiting }] of rows)
    rows.set(name, { holders: holders.filter(isOther), waiting: waiting.filter(isOther) });
  for (const name of names) grantNext(rows, name);
  for (const [name, row] of rows) put(name, row);
}

/** Those who waited first get it, as long as all that they need is free. */
function grantNext(rows: Map<string, Holding>, name: string): void {
  for (;;) {
    const claim = rows.get(name)!.waiting[0];
    if (!claim) return;
    for (const other of claim.names) if (!rows.has(other)) rows.set(other, read(other));
    const isNext = claim.names.every((other) => {
      const { holders, waiting } = rows.get(other)!;
      return holders.length < capacityOf(other) && isSame(waiting[0]!, claim);
    });
    if (!isNext) return;
    for (const other of claim.names) {
      const { holders, waiting } = rows.get(other)!;
      rows.set(other, { holders: [...holders, claim], waiting: waiting.slice(1) });
    }
    tellRun(claim.run, { kind: 'woken', wait: claim.number });
  }
}

function isSame(a: Claim, b: Claim): boolean {
  return a.run === b.run && a.number === b.number;
}

function readAll(names: readonly string[]): Map<string, Holding> {
  return new Map(names.map((name) => [name, read(name)]));
}

function read(name: string): Holding {
  return (get<Holding>(keys.holding(name) as never)?.value as Holding | undefined) ?? FREE;
}

function put(name: string, row: Holding): void {
  if (row.holders.length === 0 && row.waiting.length === 0) drop(keys.holding(name));
  else set(keys.holding(name), row as never);
}

function capacityOf(name: string): number {
  if (!name.startsWith(POOL)) return 1;
  const pools = settingsNow().pools;
  return pools[name.slice(POOL.length) as keyof typeof pools];
}
