/**
 * Segments: the terms of some records in a row, kept in blocks under the keys `s/<segment>/<term> <record>` of what a
 * block begins with. A term whose postings are long goes on in the next block. Nothing in a segment ever changes; it
 * is merged with its neighbours into a larger one.
 */
#ifndef SEGMENTS_H
#define SEGMENTS_H
#include "terms.h"

/** A block, before it becomes Base64: large enough to read few, small enough to read little. */
#define BLOCK_BYTES 12000

/** Why the host refused what was asked last; the turn fails with it. */
static neira_refusal refusal;

static void put_padded(buffer *to, uint64_t number, size_t digits) {
  buffer made = {0};
  put_whole(&made, number);
  for (size_t at = made.len; at < digits; at++) put_byte(to, '0');
  put(to, made.ptr, made.len);
}

/** `s/<segment>/<name><behind>` */
static buffer key_of(uint64_t segment, neira_string name, neira_string behind) {
  buffer key = {0};
  put_text(&key, NEIRA_TEXT("s/"));
  put_padded(&key, segment, 10);
  put_byte(&key, '/');
  put_text(&key, name);
  put_text(&key, behind);
  return key;
}

// --- writing

typedef struct {
  uint64_t segment;
  /** Of all blocks. */
  size_t bytes;
  buffer block;
  /** What the block begins with. */
  buffer key;
  /** The term that the block ends with, and the one that is being written. */
  neira_string last;
  neira_string name;
  buffer postings;
  uint64_t last_record;
} segment_writer;

static bool flush_block(segment_writer *to) {
  if (to->block.len == 0) return true;
  buffer value = {0};
  put_byte(&value, '"');
  put_base64(&value, to->block);
  put_byte(&value, '"');
  to->bytes += to->block.len;
  to->block.len = 0;
  to->last = NEIRA_TEXT("");
  return neira_storage_set(text_of(to->key), text_of(value), NULL, &refusal);
}

/** An entry: its term without what it shares with the one before, and its postings. */
static void put_entry(segment_writer *to) {
  if (to->postings.len == 0) return;
  size_t shared = 0;
  while (shared < to->last.len && shared < to->name.len && to->last.ptr[shared] == to->name.ptr[shared]) shared++;
  put_varint(&to->block, shared);
  put_varint(&to->block, to->name.len - shared);
  put(&to->block, to->name.ptr + shared, to->name.len - shared);
  put_varint(&to->block, to->postings.len);
  put(&to->block, to->postings.ptr, to->postings.len);
  to->last = to->name;
  to->postings.len = 0;
}

/** Terms come in their order, and the records of each as well. `name` has to stay where it is. */
static bool write_posting(segment_writer *to, neira_string name, const posting *one) {
  if (!same_text(to->name, name)) {
    put_entry(to);
    to->name = name;
    to->last_record = 0;
  }
  if (to->block.len + to->postings.len >= BLOCK_BYTES) {
    put_entry(to);
    if (!flush_block(to)) return false;
    to->last_record = 0;
  }
  if (to->block.len == 0 && to->postings.len == 0) {
    buffer first = {0};
    put_byte(&first, ' ');
    put_padded(&first, one->record, 16);
    to->key = key_of(to->segment, name, text_of(first));
  }
  put_posting(&to->postings, one, to->last_record);
  to->last_record = one->record;
  return true;
}

static bool finish_segment(segment_writer *to) {
  put_entry(to);
  return flush_block(to);
}

static bool write_terms(segment_writer *to, terms *all) {
  sort_terms(all);
  for (size_t at = 0; at < all->len; at++) {
    const buffer written = all->used[at]->written;
    reader from = {written.ptr, written.ptr + written.len};
    for (posting one = {0}; take_posting(&from, &one, one.record);)
      if (!write_posting(to, all->used[at]->name, &one)) return false;
  }
  return finish_segment(to);
}

// --- reading

/** Entry by entry through a block. */
typedef struct {
  reader left;
  buffer name;
  reader postings;
} block_reader;

static block_reader open_block(neira_json value) {
  const neira_string text = {value.ptr + 1, value.len >= 2 ? value.len - 2 : 0};
  return (block_reader){.left = take_base64(text)};
}

static bool next_entry(block_reader *block) {
  if (block->left.at >= block->left.end) return false;
  const uint64_t shared = take_varint(&block->left);
  const reader rest = take_bytes(&block->left, take_varint(&block->left));
  if (shared < block->name.len) block->name.len = (size_t)shared;
  put(&block->name, rest.at, (size_t)(rest.end - rest.at));
  block->postings = take_bytes(&block->left, take_varint(&block->left));
  return true;
}

static bool list_blocks(neira_string prefix, neira_string after, uint32_t limit, bool reverse, neira_list_entry *found) {
  const neira_list_options options = {
      .after = {after.len > 0, after}, .limit = {true, limit}, .reverse = {true, reverse}};
  return neira_storage_list(prefix, &options, found, &refusal);
}

/** A term, or all terms that begin so. */
typedef struct {
  neira_string name;
  bool prefix;
} wanted;

static bool is_wanted(const wanted *of, neira_string name) {
  return of->prefix ? begins_with(name, of->name) : same_text(name, of->name);
}

/** Collects what is wanted from a block; answers whether nothing more of it can come behind. */
static bool collect(neira_json block, const wanted *of, postings *to) {
  block_reader from = open_block(block);
  while (next_entry(&from)) {
    const neira_string name = text_of(from.name);
    if (is_wanted(of, name)) {
      for (posting one = {0}; take_posting(&from.postings, &one, one.record);) add_posting(to, one);
    } else if (compare_texts(name, of->name) > 0) {
      return true;
    }
  }
  return false;
}

/** It may begin inside the block before those that begin with it. */
static bool find_postings(uint64_t segment, const wanted *of, postings *to) {
  const neira_string whole = text_of(key_of(segment, NEIRA_TEXT(""), NEIRA_TEXT("")));
  const buffer start = key_of(segment, of->name, of->prefix ? NEIRA_TEXT("") : NEIRA_TEXT(" "));
  neira_list_entry found;
  if (!list_blocks(whole, text_of(start), 1, true, &found)) return false;
  if (found.len > 0 && collect(found.ptr[0].value, of, to)) return true;
  for (neira_string after = NEIRA_TEXT("");; after = found.ptr[found.len - 1].key) {
    if (!list_blocks(text_of(start), after, 64, false, &found)) return false;
    for (size_t at = 0; at < found.len; at++) collect(found.ptr[at].value, of, to);
    if (found.len == 0) return true;
  }
}

// --- merging

/** Goes through all entries of a segment, and notes its keys. */
typedef struct {
  neira_string prefix;
  neira_list_entry page;
  size_t at;
  block_reader block;
  bool ended;
} segment_reader;

/** On to the next entry, and away with every block that is begun: what is staged as deleted is in memory already. */
static bool next_in_segment(segment_reader *from) {
  while (!next_entry(&from->block)) {
    if (from->at == from->page.len) {
      const neira_string after = from->page.len > 0 ? from->page.ptr[from->page.len - 1].key : NEIRA_TEXT("");
      if (!list_blocks(from->prefix, after, 64, false, &from->page)) return false;
      from->at = 0;
      from->ended = from->page.len == 0;
      if (from->ended) return true;
    }
    const neira_entry *entry = &from->page.ptr[from->at++];
    from->block = open_block(entry->value);
    if (!neira_storage_delete(entry->key, &refusal)) return false;
  }
  return true;
}

/** The first of the terms that the segments stand at; NULL when all have ended. */
static const segment_reader *first_of(const segment_reader *all, size_t count) {
  const segment_reader *first = NULL;
  for (size_t at = 0; at < count; at++) {
    if (all[at].ended) continue;
    if (!first || compare_texts(text_of(all[at].block.name), text_of(first->block.name)) < 0) first = &all[at];
  }
  return first;
}

static bool copy_term(segment_writer *to, segment_reader *from, neira_string name) {
  while (!from->ended && same_text(text_of(from->block.name), name)) {
    for (posting one = {0}; take_posting(&from->block.postings, &one, one.record);)
      if (!write_posting(to, name, &one)) return false;
    if (!next_in_segment(from)) return false;
  }
  return true;
}

#define MAX_MERGED 4

/** Makes one segment of several neighbours, whose blocks are gone with the commit. */
static bool merge_segments(segment_writer *to, const uint64_t *segments, size_t count) {
  segment_reader from[MAX_MERGED] = {0};
  for (size_t at = 0; at < count; at++) {
    from[at].prefix = text_of(key_of(segments[at], NEIRA_TEXT(""), NEIRA_TEXT("")));
    if (!next_in_segment(&from[at])) return false;
  }
  for (const segment_reader *first; (first = first_of(from, count)) != NULL;) {
    const neira_string name = copy_of(text_of(first->block.name));
    // Neighbours hold records in a row, so their postings follow each other.
    for (size_t at = 0; at < count; at++)
      if (!copy_term(to, &from[at], name)) return false;
  }
  return finish_segment(to);
}
#endif
