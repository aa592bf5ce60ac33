/** The terms of a batch of records, gathered in memory, and all of them in their order. */
#ifndef TERMS_H
#define TERMS_H
#include "postings.h"
#include "words.h"

typedef struct term {
  neira_string name;
  buffer written;
  /** Of the record that is being read. */
  buffer places;
  uint64_t record;
  uint64_t last_record;
  uint32_t last_place;
  struct term *next;
} term;

#define TERM_SLOTS 4096

typedef struct {
  term *slots[TERM_SLOTS];
  term **used;
  size_t len;
  size_t size;
} terms;

/** FNV-1a; that two texts share a number is rare, and harmless where it is used. */
static uint64_t hash_of(neira_string text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t at = 0; at < text.len; at++) hash = (hash ^ (uint8_t)text.ptr[at]) * 0x100000001b3u;
  return hash;
}

static neira_string copy_of(neira_string text) {
  buffer made = {0};
  put_text(&made, text);
  return text_of(made);
}

static term *term_named(terms *all, neira_string name) {
  term **slot = &all->slots[hash_of(name) % TERM_SLOTS];
  for (term *each = *slot; each; each = each->next)
    if (same_text(each->name, name)) return each;
  if (all->len == all->size) {
    const size_t size = all->size * 2 + 256;
    term **grown = neira_alloc(size * sizeof *grown);
    if (all->len > 0) memcpy(grown, all->used, all->len * sizeof *grown);
    all->used = grown;
    all->size = size;
  }
  term *made = neira_alloc(sizeof *made);
  *made = (term){.name = copy_of(name), .next = *slot};
  *slot = made;
  all->used[all->len++] = made;
  return made;
}

static int compare_terms(const void *a, const void *b) {
  return compare_texts((*(term *const *)a)->name, (*(term *const *)b)->name);
}

static void sort_terms(terms *all) { qsort(all->used, all->len, sizeof *all->used, compare_terms); }

/**
 * What a record can be filtered by is a term too, told from words by its first sign. Ids are of any length, so their
 * number stands for them; the host looks at what it shows once more.
 */
static neira_string filter_term(char kind, neira_string value) {
  static const char HEX[] = "0123456789abcdef";
  char *name = neira_alloc(18);
  name[0] = '#';
  name[1] = kind;
  const uint64_t hash = hash_of(value);
  for (int digit = 0; digit < 16; digit++) name[2 + digit] = HEX[hash >> (60 - 4 * digit) & 15];
  return (neira_string){name, 18};
}

static void begin_record(term *of, uint64_t record) {
  of->record = record;
  of->places.len = 0;
  of->last_place = 0;
}

static void note_place(term *of, uint32_t place) {
  put_varint(&of->places, place - of->last_place);
  of->last_place = place;
}

static void add_written(term *of, const posting *one) {
  put_posting(&of->written, one, of->last_record);
  of->last_record = one->record;
}

static void add_filter(terms *all, char kind, neira_string value, uint64_t record) {
  const posting one = {.record = record};
  add_written(term_named(all, filter_term(kind, value)), &one);
}

/** A record of the longest text has no more. */
#define MAX_RECORD_WORDS 4096

/** Takes in one record; answers how many words it has. */
static uint32_t add_record(terms *all, const neira_chat_record *record) {
  reader text = reader_of(record->text);
  term *found[MAX_RECORD_WORDS];
  size_t count = 0;
  uint32_t place = 0;
  for (word each; place < MAX_RECORD_WORDS && next_word(&text, &each); place++) {
    term *of = term_named(all, stem_of(&each));
    if (of->record != record->number) {
      begin_record(of, record->number);
      found[count++] = of;
    }
    note_place(of, place);
  }
  for (size_t at = 0; at < count; at++) {
    const buffer *places = &found[at]->places;
    const posting one = {.record = record->number, .words = place, .places = {places->ptr, places->ptr + places->len}};
    add_written(found[at], &one);
  }
  add_filter(all, 't', record->type, record->number);
  add_filter(all, 'c', record->chat_id, record->number);
  add_filter(all, 's', record->session_id, record->number);
  return place;
}
#endif
