/**
 * Where a term stands: for each record its number, how many words it has, and the places of the term among them.
 * Written, they are numbers of variable length, those of records and places as the distance from the one before.
 */
#ifndef POSTINGS_H
#define POSTINGS_H
#include <stdlib.h>

#include "bytes.h"

typedef struct {
  uint64_t record;
  uint32_t words;
  uint32_t count;
  /** Places, counted from 0, as they are written. */
  reader places;
} posting;

typedef struct {
  posting *ptr;
  size_t len;
  size_t size;
} postings;

static void add_posting(postings *to, posting one) {
  if (to->len == to->size) {
    const size_t size = to->size * 2 + 16;
    posting *grown = neira_alloc(size * sizeof *grown);
    if (to->len > 0) memcpy(grown, to->ptr, to->len * sizeof *grown);
    to->ptr = grown;
    to->size = size;
  }
  to->ptr[to->len++] = one;
}

/** @param last number of the record before, 0 before the first */
static void put_posting(buffer *to, const posting *one, uint64_t last) {
  put_varint(to, one->record - last);
  put_varint(to, one->words);
  put_varint(to, (uint64_t)(one->places.end - one->places.at));
  put(to, one->places.at, (size_t)(one->places.end - one->places.at));
}

static uint32_t count_places(reader places) {
  uint32_t count = 0;
  for (; places.at < places.end; places.at++) count += *places.at < 128;
  return count;
}

static bool take_posting(reader *from, posting *one, uint64_t last) {
  if (from->at >= from->end) return false;
  one->record = last + take_varint(from);
  one->words = (uint32_t)take_varint(from);
  one->places = take_bytes(from, take_varint(from));
  one->count = count_places(one->places);
  return true;
}

static int compare_postings(const void *a, const void *b) {
  const uint64_t one = ((const posting *)a)->record;
  const uint64_t other = ((const posting *)b)->record;
  return one < other ? -1 : one > other;
}

/** By record; a record may come more than once where several terms are taken for one. */
static void sort_postings(postings *all) {
  for (size_t at = 1; at < all->len; at++)
    if (all->ptr[at - 1].record > all->ptr[at].record) {
      qsort(all->ptr, all->len, sizeof *all->ptr, compare_postings);
      return;
    }
}
#endif
