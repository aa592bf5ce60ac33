/**
 * text.search: full-text search over what was saved into chats. README.md says how it is built and what it promises.
 *
 * Each turn has the memory of this instance to itself, so nothing is ever freed.
 */
#define NEIRA_PLUGIN
#include "ranking.h"

/** Its own event: there is more to be taken into the index. */
#define ADVANCED NEIRA_TEXT("search.index.advanced")
#define QUERY NEIRA_TEXT("search.query")
/** For further hits of a page nothing is highlighted: each has to be read once more for it. */
#define MAX_HIGHLIGHTED 100
#define MAX_HIGHLIGHTS 32

static bool refused(neira_string *answer) {
  *answer = refusal.code;
  return false;
}

/** The words of a record that were asked for, as they are written there, each once. */
static void put_highlights(buffer *to, const query *of, neira_string text) {
  neira_string shown[MAX_HIGHLIGHTS];
  size_t count = 0;
  reader from = reader_of(text);
  for (word each; count < MAX_HIGHLIGHTS && next_word(&from, &each);) {
    bool wanted = false;
    for (size_t at = 0; at < of->clause_count; at++)
      for (size_t word = 0; !of->clauses[at].excluded && word < of->clauses[at].count; word++)
        wanted = wanted || is_asked_word(&of->words[of->clauses[at].first + word], &each);
    for (size_t at = 0; at < count; at++) wanted = wanted && !same_text(shown[at], each.written);
    // A word of marks may be of any length; the answer takes so many characters.
    if (!wanted || each.written.len > 128) continue;
    if (count > 0) put_byte(to, ',');
    put_json(to, each.written);
    shown[count++] = each.written;
  }
}

static bool put_hit(buffer *to, const query *of, const hit *one, bool highlighted) {
  put_text(to, NEIRA_TEXT("{\"number\":"));
  put_whole(to, one->record);
  put_text(to, NEIRA_TEXT(",\"score\":"));
  put_score(to, one->score);
  put_text(to, NEIRA_TEXT(",\"highlight\":["));
  neira_list_chat_record record = {0};
  if (highlighted && !list_records(one->record - 1, 1, &record)) return false;
  if (record.len > 0) put_highlights(to, of, record.ptr[0].text);
  put_text(to, NEIRA_TEXT("]}"));
  return true;
}

static bool answer_query(json payload, neira_string *answer) {
  query *asked = neira_alloc(sizeof *asked);
  state index;
  read_query(asked, payload);
  if (!load_state(&index) || !find_all(asked, &index)) return refused(answer);
  const hits all = rank(asked, &index);
  const size_t skipped = asked->by_score ? (size_t)asked->after : 0;
  const size_t from = skipped < all.len ? skipped : all.len;
  const size_t to = all.len - from > asked->limit ? from + (size_t)asked->limit : all.len;
  buffer made = {0};
  put_text(&made, NEIRA_TEXT("{\"result\":{\"hits\":["));
  for (size_t at = from; at < to; at++) {
    if (at > from) put_byte(&made, ',');
    if (!put_hit(&made, asked, &all.ptr[at], at - from < MAX_HIGHLIGHTED)) return refused(answer);
  }
  put_text(&made, NEIRA_TEXT("],\"next\":"));
  if (to == all.len || to == from) put_text(&made, NEIRA_TEXT("null"));
  else put_whole(&made, asked->by_score ? to : all.ptr[to - 1].record);
  put_text(&made, NEIRA_TEXT("}}"));
  *answer = text_of(made);
  return true;
}

/** One event leads to the next until nothing is left. However many began it, each step is gone on from once. */
static bool go_on(const state *index) {
  buffer key = {0};
  put_whole(&key, index->cursor);
  put_byte(&key, '.');
  put_whole(&key, index->next_id);
  buffer payload = {0};
  put_text(&payload, NEIRA_TEXT("{\"indexed\":"));
  put_whole(&payload, index->records);
  put_byte(&payload, '}');
  const neira_publish_options options = {.idempotency_key = {true, text_of(key)}};
  return neira_bus_publish(ADVANCED, text_of(payload), &options, NULL, &refusal);
}

static bool take_in(neira_string *answer) {
  state index;
  bool more;
  if (!load_state(&index) || !advance(&index, &more)) return refused(answer);
  if (more && !go_on(&index)) return refused(answer);
  *answer = NEIRA_TEXT("{}");
  return true;
}

bool neira_handle(neira_string input, neira_string *answer) {
  json envelope = json_of(input);
  json value;
  neira_string name;
  if (!json_field(envelope, NEIRA_TEXT("event_name"), &value) || !json_text(value, &name)) name = NEIRA_TEXT("");
  if (!same_text(name, QUERY)) return take_in(answer);
  if (!json_field(envelope, NEIRA_TEXT("payload"), &value)) value = json_of(NEIRA_TEXT("{}"));
  return answer_query(value, answer);
}
