#define NEIRA_PLUGIN
#include "neira.h"

#include "json.h"

/** Lets a refusal through: the turn fails with its code, and nothing of it is kept. */
static bool refused(neira_refusal refusal, neira_string *answer) {
  *answer = refusal.code;
  return false;
}

/** Called once for every event. Nothing in memory outlives it: what is to stay goes into storage. */
bool neira_handle(neira_string input, neira_string *answer) {
  neira_refusal refusal;
  neira_json found;
  neira_string name;
  if (!json_find(input, "payload.params.name", &found) || !json_text(found, &name)) {
    *answer = NEIRA_TEXT("the event has no text payload.params.name");
    return false;
  }
  neira_string greeting = NEIRA_TEXT("Good day");
  if (json_find(neira_storage_settings(), "greeting", &found)) json_text(found, &greeting);

  // Reads see what was committed, and what this call has written so far.
  text key = {0};
  text_add(&key, NEIRA_TEXT("visits/"));
  text_add(&key, name);
  neira_option_entry entry;
  if (!neira_storage_get(text_done(key), &entry, &refusal)) return refused(refusal, answer);
  const uint64_t visits = (entry.is_some ? json_whole(entry.value.value) : 0) + 1;

  // Writes, sends and publishes happen together when this has returned true, or not at all.
  text count = {0};
  text_add_whole(&count, visits);
  if (!neira_storage_set(text_done(key), text_done(count), NULL, &refusal)) return refused(refusal, answer);

  text note = {0};
  text_add(&note, NEIRA_TEXT("{\"name\":"));
  text_add_json(&note, name);
  text_add(&note, NEIRA_TEXT(",\"visits\":"));
  text_add_whole(&note, visits);
  text_add(&note, NEIRA_TEXT("}"));
  if (!neira_io_send(NEIRA_TEXT("console"), NEIRA_TEXT("greetings"), text_done(note), NULL, NULL, &refusal)) {
    // Without that permission it greets all the same; whatever else is wrong is not for it to judge.
    if (!json_is(refusal.code, "NEIRA_PERMISSION_DENIED")) return refused(refusal, answer);
    neira_io_log(NEIRA_LEVEL_WARN, refusal.message);
  }

  text said = {0};
  text_add(&said, greeting);
  text_add(&said, NEIRA_TEXT(", "));
  text_add(&said, name);
  text_add(&said, NEIRA_TEXT(". This is visit "));
  text_add_whole(&said, visits);
  text_add(&said, NEIRA_TEXT("."));
  // Lines of the log are kept also when the turn fails; see them with `neira plugin logs`.
  neira_io_log(NEIRA_LEVEL_INFO, text_done(said));

  text reply = {0};
  text_add(&reply, NEIRA_TEXT("{\"actions\":[{\"type\":\"notify\",\"text\":"));
  text_add_json(&reply, text_done(said));
  text_add(&reply, NEIRA_TEXT("}]}"));
  *answer = text_done(reply);
  return true;
}
