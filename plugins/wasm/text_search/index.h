/** The index as a whole: up to where records are in it, its segments, and one step of keeping both up to date. */
#ifndef INDEX_H
#define INDEX_H
#include "segments.h"

#define STATE_KEY NEIRA_TEXT("state")
/** Records that one turn takes in; the host gives fewer where they are long. */
#define BATCH_RECORDS 500
#define MAX_SEGMENTS 512
/** A segment of so many bytes is left as it is. */
#define FULL_BYTES (256 * 1024)

typedef struct {
  uint64_t id;
  uint64_t bytes;
} segment;

typedef struct {
  /** Number of the last record that is in the index. */
  uint64_t cursor;
  /** How many records it holds, and how many words they have. */
  uint64_t records;
  uint64_t words;
  uint64_t next_id;
  segment segments[MAX_SEGMENTS];
  size_t len;
} state;

/** `[cursor, records, words, next id, [id, bytes], …]` */
static void read_state(neira_json value, state *to) {
  json from = json_of(value);
  uint64_t *const numbers[] = {&to->cursor, &to->records, &to->words, &to->next_id};
  if (!json_array(&from)) return;
  for (size_t at = 0; at < 4 && json_item(&from); at++) take_whole(&from, numbers[at]);
  while (to->len < MAX_SEGMENTS && json_item(&from) && json_array(&from)) {
    segment *each = &to->segments[to->len++];
    if (json_item(&from)) take_whole(&from, &each->id);
    if (json_item(&from)) take_whole(&from, &each->bytes);
    take_sign(&from, ']');
  }
}

static bool load_state(state *to) {
  neira_option_entry found;
  memset(to, 0, sizeof *to);
  if (!neira_storage_get(STATE_KEY, &found, &refusal)) return false;
  if (found.is_some) read_state(found.value.value, to);
  return true;
}

static bool save_state(const state *from) {
  buffer value = {0};
  const uint64_t numbers[] = {from->cursor, from->records, from->words, from->next_id};
  for (size_t at = 0; at < 4; at++) {
    put_byte(&value, at == 0 ? '[' : ',');
    put_whole(&value, numbers[at]);
  }
  for (size_t at = 0; at < from->len; at++) {
    put_text(&value, NEIRA_TEXT(",["));
    put_whole(&value, from->segments[at].id);
    put_byte(&value, ',');
    put_whole(&value, from->segments[at].bytes);
    put_byte(&value, ']');
  }
  put_byte(&value, ']');
  return neira_storage_set(STATE_KEY, text_of(value), NULL, &refusal);
}

static bool list_records(uint64_t after, uint32_t limit, neira_list_chat_record *found) {
  const neira_record_options options = {.after = {true, after}, .limit = {true, limit}, .text_only = {true, true}};
  return neira_storage_records(&options, found, &refusal);
}

/** Puts the records behind the cursor into a segment of their own. */
static bool add_batch(state *to, const neira_list_chat_record *page) {
  terms *all = neira_alloc(sizeof *all);
  memset(all, 0, sizeof *all);
  for (size_t at = 0; at < page->len; at++) to->words += add_record(all, &page->ptr[at]);
  segment_writer writer = {.segment = to->next_id};
  if (!write_terms(&writer, all)) return false;
  to->segments[to->len++] = (segment){to->next_id++, writer.bytes};
  to->records += page->len;
  to->cursor = page->ptr[page->len - 1].number;
  return true;
}

/** Segments of one level are alike in size: each level holds four times as much as the one below. */
static int level_of(const segment *of) {
  int level = 0;
  for (uint64_t bytes = of->bytes / 4096; bytes > 0; bytes /= 4) level++;
  return level;
}

/**
 * Where segments to be merged begin, four of them: the first of those that reach up to the last one of the highest
 * level. So each byte is written about once for each level, and few segments have to be asked. `len` for none.
 */
static size_t merge_from(const state *of) {
  size_t from = 0;
  while (from < of->len) {
    if (of->segments[from].bytes >= FULL_BYTES) {
      from++;
      continue;
    }
    int highest = -1;
    size_t to = from;
    for (size_t at = from; at < of->len && of->segments[at].bytes < FULL_BYTES; at++)
      if (level_of(&of->segments[at]) >= highest) {
        highest = level_of(&of->segments[at]);
        to = at;
      }
    if (to - from + 1 >= MAX_MERGED) return from;
    from = to + 1;
  }
  return of->len;
}

static bool merge_step(state *of, size_t from) {
  uint64_t ids[MAX_MERGED];
  for (size_t at = 0; at < MAX_MERGED; at++) ids[at] = of->segments[from + at].id;
  segment_writer writer = {.segment = of->next_id};
  if (!merge_segments(&writer, ids, MAX_MERGED)) return false;
  of->segments[from] = (segment){of->next_id++, writer.bytes};
  of->len -= MAX_MERGED - 1;
  memmove(&of->segments[from + 1], &of->segments[from + MAX_MERGED], (of->len - from - 1) * sizeof(segment));
  return true;
}

/** One turn's work: at most one batch and one merge. Answers in `more` whether there is more to be done. */
static bool advance(state *of, bool *more) {
  neira_list_chat_record page;
  const bool has_room = of->len < MAX_SEGMENTS;
  if (!has_room) neira_io_log(NEIRA_LEVEL_ERROR, NEIRA_TEXT("the index is full: it takes in no more records"));
  if (!list_records(of->cursor, has_room ? BATCH_RECORDS : 0, &page)) return false;
  if (page.len > 0 && !add_batch(of, &page)) return false;
  const size_t from = merge_from(of);
  if (from < of->len && !merge_step(of, from)) return false;
  if ((page.len > 0 || from < of->len) && !save_state(of)) return false;
  neira_list_chat_record behind = {0};
  if (page.len > 0 && !list_records(of->cursor, 1, &behind)) return false;
  *more = behind.len > 0 || merge_from(of) < of->len;
  return true;
}
#endif
