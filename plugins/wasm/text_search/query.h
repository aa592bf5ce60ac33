/** What a person asks for: words, "phrases", -what must not be there, and perhaps a last word that is unfinished. */
#ifndef QUERY_H
#define QUERY_H
#include "index.h"

#define MAX_ASKED 32
#define MIN_PREFIX_BYTES 2

/** One word of the question, and where it was found. */
typedef struct {
  word word;
  /** Unfinished: every term that begins so stands for it as well. */
  bool prefix;
  postings found;
  /** Records that have it. */
  size_t records;
  /** How far the records have been gone through. */
  size_t at;
} asked;

/** Words that have to stand beside each other; most of the time it is one. */
typedef struct {
  size_t first;
  size_t count;
  bool excluded;
} clause;

/** Only records of which this is true. */
typedef struct {
  neira_string term;
  postings found;
  size_t at;
} filter;

typedef struct {
  asked words[MAX_ASKED];
  size_t len;
  clause clauses[MAX_ASKED];
  size_t clause_count;
  filter filters[3];
  size_t filter_count;
  bool by_score;
  uint64_t after;
  uint64_t limit;
} query;

// --- reading it

static bool is_space(uint32_t code) {
  return code <= ' ' || code == 0xa0 || within(code, 0x2000, 0x200a) || code == 0x3000 || within(code, 0x2028, 0x202f);
}

static bool is_quote(uint32_t code) {
  return code == '"' || code == 0xab || code == 0xbb || within(code, 0x201c, 0x201f);
}

static uint32_t peek_code(reader from) { return from.at < from.end ? take_code(&from) : 0; }

/** Up to a space, or in quotes up to the next quote. */
static reader take_part(reader *from, bool quoted, bool *closed) {
  reader part = {from->at, from->at};
  *closed = false;
  while (from->at < from->end) {
    const uint32_t code = peek_code(*from);
    *closed = quoted ? is_quote(code) : is_space(code) || is_quote(code);
    if (*closed && !quoted) break;
    take_code(from);
    if (*closed) break;
    part.end = from->at;
  }
  return part;
}

/** One part may be several words, `e-mail`: then they are a phrase. */
static void add_clause(query *to, reader part, bool excluded, bool unfinished) {
  clause *made = &to->clauses[to->clause_count];
  *made = (clause){to->len, 0, excluded};
  while (to->len < MAX_ASKED && next_word(&part, &to->words[to->len].word)) {
    to->len++;
    made->count++;
  }
  if (made->count == 0) return;
  to->clause_count++;
  asked *last = &to->words[to->len - 1];
  last->prefix = unfinished && made->count == 1 && last->word.folded_len >= MIN_PREFIX_BYTES;
}

static void read_words(query *to, neira_string text) {
  reader from = reader_of(text);
  while (from.at < from.end && to->len < MAX_ASKED) {
    if (is_space(peek_code(from))) {
      take_code(&from);
      continue;
    }
    const bool excluded = *from.at == '-';
    if (excluded) from.at++;
    const bool quoted = is_quote(peek_code(from));
    if (quoted) take_code(&from);
    bool closed;
    const reader part = take_part(&from, quoted, &closed);
    add_clause(to, part, excluded, !quoted && !closed && !excluded);
  }
}

static void add_asked_filter(query *to, char kind, json payload, neira_string field) {
  json value;
  neira_string text;
  if (!json_field(payload, field, &value) || !json_text(value, &text)) return;
  to->filters[to->filter_count++] = (filter){.term = filter_term(kind, text)};
}

/** The payload of `search.query@1`. */
static void read_query(query *to, json payload) {
  json value;
  neira_string text;
  memset(to, 0, sizeof *to);
  to->limit = 100;
  if (json_field(payload, NEIRA_TEXT("q"), &value) && json_text(value, &text)) read_words(to, text);
  add_asked_filter(to, 't', payload, NEIRA_TEXT("type"));
  add_asked_filter(to, 'c', payload, NEIRA_TEXT("chat"));
  add_asked_filter(to, 's', payload, NEIRA_TEXT("session"));
  if (json_field(payload, NEIRA_TEXT("order"), &value) && json_text(value, &text))
    to->by_score = same_text(text, NEIRA_TEXT("score"));
  if (json_field(payload, NEIRA_TEXT("after"), &value)) take_whole(&value, &to->after);
  if (json_field(payload, NEIRA_TEXT("limit"), &value)) take_whole(&value, &to->limit);
}

// --- finding it

static bool is_asked_word(const asked *of, const word *found) {
  return same_text(stem_of(&of->word), stem_of(found)) ||
         (of->prefix && begins_with(stem_of(found), folded_of(&of->word)));
}

/** In a segment: the stem, and all terms that begin with what is unfinished. */
static bool find_word(uint64_t id, asked *of) {
  const wanted stem = {stem_of(&of->word), false};
  const wanted prefix = {folded_of(&of->word), true};
  const bool covered = of->prefix && begins_with(stem.name, prefix.name);
  if (!covered && !find_postings(id, &stem, &of->found)) return false;
  return !of->prefix || find_postings(id, &prefix, &of->found);
}

static bool find_in_segments(query *of, const state *index) {
  for (size_t at = 0; at < index->len; at++) {
    const uint64_t id = index->segments[at].id;
    for (size_t each = 0; each < of->len; each++)
      if (!find_word(id, &of->words[each])) return false;
    for (size_t each = 0; each < of->filter_count; each++) {
      const wanted term = {of->filters[each].term, false};
      if (!find_postings(id, &term, &of->filters[each].found)) return false;
    }
  }
  return true;
}

static bool passes_filter(const filter *of, const neira_chat_record *record) {
  const neira_string value = of->term.ptr[1] == 't'   ? record->type
                             : of->term.ptr[1] == 'c' ? record->chat_id
                                                      : record->session_id;
  return same_text(of->term, filter_term(of->term.ptr[1], value));
}

/** A record that is not in the index yet is looked through; answers how many words it has. */
static uint32_t find_in_record(query *of, const neira_chat_record *record) {
  buffer places[MAX_ASKED] = {0};
  uint32_t last[MAX_ASKED] = {0};
  uint32_t place = 0;
  reader text = reader_of(record->text);
  for (word each; place < MAX_RECORD_WORDS && next_word(&text, &each); place++)
    for (size_t at = 0; at < of->len; at++) {
      if (!is_asked_word(&of->words[at], &each)) continue;
      put_varint(&places[at], place - last[at]);
      last[at] = place;
    }
  for (size_t at = 0; at < of->len; at++) {
    if (places[at].len == 0) continue;
    const reader written = {places[at].ptr, places[at].ptr + places[at].len};
    add_posting(&of->words[at].found, (posting){record->number, place, count_places(written), written});
  }
  for (size_t at = 0; at < of->filter_count; at++)
    if (passes_filter(&of->filters[at], record))
      add_posting(&of->filters[at].found, (posting){.record = record->number});
  return place;
}

/** Records that one question looks through behind the index, a page at a time. */
#define MAX_BEHIND 10000
#define BEHIND_PAGE 1000

/** What was saved a moment ago is found too. It is counted in, so that scores do not change when it is indexed. */
static bool find_behind(query *of, state *index) {
  size_t seen = 0;
  for (uint64_t after = index->cursor; seen < MAX_BEHIND;) {
    neira_list_chat_record page;
    if (!list_records(after, BEHIND_PAGE, &page)) return false;
    if (page.len == 0) break;
    for (size_t at = 0; at < page.len; at++) index->words += find_in_record(of, &page.ptr[at]);
    seen += page.len;
    after = page.ptr[page.len - 1].number;
  }
  index->records += seen;
  return true;
}

static void count_records(asked *of) {
  sort_postings(&of->found);
  for (size_t at = 0; at < of->found.len; at++)
    of->records += at == 0 || of->found.ptr[at].record != of->found.ptr[at - 1].record;
}

static bool find_all(query *of, state *index) {
  if (!find_in_segments(of, index) || !find_behind(of, index)) return false;
  for (size_t at = 0; at < of->len; at++) count_records(&of->words[at]);
  return true;
}
#endif
