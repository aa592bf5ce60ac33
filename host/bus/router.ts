import { compileFilter } from './filter.ts';
import { keyOf } from './key.ts';
import { SubjectTrie } from './subject-trie.ts';

type Sub = {
  id: string;
  plugin: string;
  name: string;
  pattern: string;
  version: number | null;
  filter?: string;
  key?: string;
  group?: string;
  listening: boolean;
};
export class Router {
  readonly #trie = new SubjectTrie<Sub>();
  readonly #subs = new Map<string, Sub>();
  put(s: Sub): void {
    this.remove(s.id);
    this.#subs.set(s.id, s);
    this.#trie.add(s.pattern, s);
  }
  remove(id: string): void {
    const s = this.#subs.get(id);
    if (!s) return;
    this.#subs.delete(id);
    this.#trie.remove(s.pattern, s);
  }
  removePlugin(plugin: string): void {
    for (const s of [...this.#subs.values()]) if (s.plugin === plugin) this.remove(s.id);
  }
  route(p: { subject: string; version: number; envelope: string; mode: string }) {
    let parsed: unknown;
    const env = () => (parsed ??= JSON.parse(p.envelope));
    const matched = this.#trie
      .match(p.subject)
      .filter(
        (s) =>
          (s.version === null || s.version === p.version) &&
          (!s.filter || compileFilter(s.filter).matches(env())),
      );
    const out = new Map<string, { plugin: string; key: string | undefined; subscriptions: string[] }>();
    for (const s of matched) {
      const t = out.get(s.plugin) ?? { plugin: s.plugin, key: undefined, subscriptions: [] };
      out.set(s.plugin, t);
      t.subscriptions.push(s.name);
      if (s.key) t.key ??= keyOf({ key: s.key })(env());
    }
    return [...out.values()];
  }
}
