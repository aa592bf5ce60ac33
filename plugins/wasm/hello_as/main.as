import { find, quoted, textOf } from "./json";
import { denied, failed, get, INFO, log, refused, send, set, settings, WARN } from "./neira";

// The exports of a component, and what the host calls them by; the rest of neira.as is the host functions.
export { cabi_realloc, handle } from "./neira";

/** Called once for every event. Nothing in memory outlives it: what is to stay goes into storage. */
export function greet(input: string): string {
  const name = textOf(find(input, "payload.params.name"));
  if (name === null) return failed("the event has no text payload.params.name");
  const set_greeting = textOf(find(settings(), "greeting"));
  const greeting = set_greeting === null ? "Good day" : set_greeting;

  // Reads see what was committed, and what this call has written so far.
  const key = "visits/" + name;
  const entry = get(key);
  if (refused !== null) return failed(refused!.code);
  const visits = entry === null ? 1 : <i32>parseInt(entry.value) + 1;
  // Writes and sends happen together when this has answered, or not at all when it fails.
  if (!set(key, visits.toString())) return failed(refused!.code);

  if (!send("console", "greetings", '{"name":' + quoted(name) + ',"visits":' + visits.toString() + "}")) {
    // Without that permission it greets all the same; whatever else is wrong is not for it to judge.
    if (!denied()) return failed(refused!.code);
    log(WARN, refused!.message);
  }

  const said = greeting + ", " + name + ". This is visit " + visits.toString() + ".";
  // Lines of the log are kept also when the turn fails; see them with `neira plugin logs`.
  log(INFO, said);
  return '{"actions":[{"type":"notify","text":' + quoted(said) + "}]}";
}
