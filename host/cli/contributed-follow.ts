/** What happens after a command of a plugin, line by line, as its manifest says it is shown. */
import { once } from 'node:events';
import type { CommandFollow, Having } from '../base/command-line.ts';
import type { Envelope } from '../bus/envelope.ts';
import type { Client } from './client.ts';
import type { Reply } from './contributed.ts';
import { shown } from './contributed-reply.ts';
import { follow as followEvents } from './event-follow.ts';
import { type Output, tint } from './output.ts';

/** Clocks of two machines differ; what is not of this reply is left out anyhow. */
const BEFORE_MS = 60_000;

/**
 * Until it has ended, or the user ends it.
 * @param since RFC 3339, when the command was called
 * @returns whether it ended well
 */
export async function follow(
  out: Output,
  client: Client,
  how: CommandFollow,
  reply: Reply,
  since: string,
): Promise<boolean> {
  if (how.over && has(reply, how.over)) return how.ends.good === undefined || has(reply, how.ends.good);
  // By nothing nothing is told apart.
  if (reply[how.match] === undefined) return true;
  const end = new AbortController();
  const stop = () => end.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    const events = followEvents(client, {
      subject: subjectOf(how),
      since: new Date(Date.parse(since) - BEFORE_MS).toISOString(),
      signal: end.signal,
      lost: () => out.remark('The connection was lost; it goes on as soon as the host answers.'),
    });
    for await (const envelope of events) {
      const payload = envelope.payload as Reply;
      if (JSON.stringify(payload?.[how.match]) !== JSON.stringify(reply[how.match])) continue;
      const lines = linesOf(how, envelope);
      for (const line of out.json && lines.length > 0 ? [JSON.stringify(envelope)] : lines)
        if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain');
      if (envelope.event_name === how.ends.event)
        return how.ends.good === undefined || has(payload, how.ends.good);
    }
    // Whoever pressed Ctrl-C knows that it goes on.
    return true;
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
    stop();
  }
}

/** All of them have the first words in common, or are heard among all. */
function subjectOf({ show, ends }: CommandFollow): string {
  const names = [...show.map(({ event }) => event), ends.event].map((name) => name.split('.'));
  const common: string[] = [];
  for (const [place, word] of names[0]!.slice(0, -1).entries()) {
    if (!names.every((name) => name.length > place + 1 && name[place] === word)) break;
    common.push(word);
  }
  return [...common, '>'].join('.');
}

function linesOf({ show, ends }: CommandFollow, { event_name: name, payload }: Envelope): string[] {
  const told = payload as Reply;
  if (name === ends.event) {
    const isGood = ends.good === undefined || has(told, ends.good);
    return [tint(isGood ? 'good' : 'bad', filled(ends.line, told))];
  }
  return show
    .filter(({ event }) => event === name)
    .flatMap(({ each, line, bad_if: bad }) => {
      const items = each === undefined ? [told] : listOf(told[each]);
      return items.map((item) => {
        const text = filled(line, { ...told, ...item });
        return bad !== undefined && item[bad] ? tint('bad', text) : text;
      });
    });
}

function listOf(value: unknown): readonly Reply[] {
  return Array.isArray(value) ? (value as Reply[]) : [];
}

/** `{error.message}` is what is there; nothing where there is nothing. */
function filled(line: string, values: Reply): string {
  return line
    .replace(/\{([a-z][a-z0-9_.]*)\}/g, (_, path: string) => {
      let value: unknown = values;
      for (const name of path.split('.')) value = (value as Reply | null | undefined)?.[name];
      return shown(value);
    })
    .replace(/ {2,}/g, ' ')
    .trim();
}

function has(values: Reply, having: Having): boolean {
  return Object.entries(having).some(([name, wanted]) => wanted.includes(values?.[name] as never));
}
