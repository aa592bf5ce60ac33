/** The work that every side of the turn bench does: the same event, the same handler, JSON in and out. */

const EVENT = {
  type: 'message',
  id: 'msg_01HZX3K8',
  ts: 1_732_100_000_000,
  channel: 'general',
  user: { id: 'u_12345', name: 'Анна Петрова', roles: ['member', 'editor'] },
  text: 'Привет! Please summarise the last build log and ping me.',
  meta: { client: 'web', locale: 'ru-RU', thread: null, edited: false, n: 3.25 },
};

/** About 300 bytes. */
export const EVENT_JSON = JSON.stringify(EVENT);

export const HANDLER_BODY = `
  const words = ev.text.split(" ");
  const actions = [
    { type: "reply", to: ev.id, channel: ev.channel, text: "Hello " + ev.user.name + ", " + words.length + " words, first: " + words[0] },
    { type: "log", level: ev.meta.edited ? "warn" : "info", msg: "handled " + ev.type + " from " + ev.user.id },
  ];
  if (ev.user.roles.includes("editor")) actions.push({ type: "tag", id: ev.id, tags: ["seen", ev.meta.locale] });
  return { actions, stats: { at: ev.ts, n: ev.meta.n * 2 } };`;

/** The handler as a function of this realm. */
export const handle = new Function('ev', HANDLER_BODY) as (event: unknown) => unknown;
