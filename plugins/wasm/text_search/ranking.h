/** Which records fit, and how well: BM25 over the words that are asked for. */
#ifndef RANKING_H
#define RANKING_H
#include "query.h"

double log(double);

#define K1 1.2
#define B 0.75

typedef struct {
  uint64_t record;
  double score;
} hit;

typedef struct {
  hit *ptr;
  size_t len;
  size_t size;
} hits;

static void add_hit(hits *to, hit one) {
  if (to->len == to->size) {
    const size_t size = to->size * 2 + 64;
    hit *grown = neira_alloc(size * sizeof *grown);
    if (to->len > 0) memcpy(grown, to->ptr, to->len * sizeof *grown);
    to->ptr = grown;
    to->size = size;
  }
  to->ptr[to->len++] = one;
}

/** Goes on to the record, which is no earlier than the one before; whether it is there. */
static bool reach(const postings *of, size_t *at, uint64_t record) {
  while (*at < of->len && of->ptr[*at].record < record) (*at)++;
  return *at < of->len && of->ptr[*at].record == record;
}

static bool has_place(const asked *of, uint64_t record, uint64_t wanted) {
  for (size_t at = of->at; at < of->found.len && of->found.ptr[at].record == record; at++) {
    reader places = of->found.ptr[at].places;
    uint64_t place = 0;
    while (places.at < places.end && place <= wanted) {
      place += take_varint(&places);
      if (place == wanted) return true;
    }
  }
  return false;
}

/** Whether the words of a clause stand behind each other somewhere in the record. */
static bool has_phrase(const query *of, const clause *phrase, uint64_t record) {
  const asked *first = &of->words[phrase->first];
  for (size_t at = first->at; at < first->found.len && first->found.ptr[at].record == record; at++) {
    reader places = first->found.ptr[at].places;
    uint64_t place = 0;
    while (places.at < places.end) {
      place += take_varint(&places);
      size_t matched = 1;
      while (matched < phrase->count && has_place(first + matched, record, place + matched)) matched++;
      if (matched == phrase->count) return true;
    }
  }
  return false;
}

static bool has_clause(query *of, const clause *each, uint64_t record) {
  for (size_t at = each->first; at < each->first + each->count; at++)
    if (!reach(&of->words[at].found, &of->words[at].at, record)) return false;
  return each->count == 1 || has_phrase(of, each, record);
}

static bool fits(query *of, uint64_t record) {
  for (size_t at = 0; at < of->filter_count; at++)
    if (!reach(&of->filters[at].found, &of->filters[at].at, record)) return false;
  for (size_t at = 0; at < of->clause_count; at++)
    if (has_clause(of, &of->clauses[at], record) == of->clauses[at].excluded) return false;
  return true;
}

static double word_score(const asked *of, uint64_t record, const state *index) {
  double count = 0;
  double words = 0;
  for (size_t at = of->at; at < of->found.len && of->found.ptr[at].record == record; at++) {
    count += of->found.ptr[at].count;
    words = of->found.ptr[at].words;
  }
  const double all = (double)index->records;
  const double having = (double)of->records;
  const double average = (double)index->words / all;
  const double rarity = log(1 + (all - having + 0.5) / (having + 0.5));
  return rarity * count * (K1 + 1) / (count + K1 * (1 - B + B * words / average));
}

static double score_of(const query *of, uint64_t record, const state *index) {
  double score = 0;
  for (size_t at = 0; at < of->clause_count; at++) {
    const clause *each = &of->clauses[at];
    for (size_t word = each->first; !each->excluded && word < each->first + each->count; word++)
      score += word_score(&of->words[word], record, index);
  }
  return score;
}

/** What has to be there and is in the fewest records leads through them; NULL when nothing has to be there. */
static const asked *rarest(const query *of) {
  const asked *found = NULL;
  for (size_t at = 0; at < of->clause_count; at++) {
    const clause *each = &of->clauses[at];
    for (size_t word = each->first; !each->excluded && word < each->first + each->count; word++)
      if (!found || of->words[word].found.len < found->found.len) found = &of->words[word];
  }
  return found;
}

static int compare_hits(const void *a, const void *b) {
  const hit *one = a;
  const hit *other = b;
  if (one->score != other->score) return one->score > other->score ? -1 : 1;
  return one->record < other->record ? -1 : 1;
}

/** All that fit, in the order that is asked for; by time only those behind `after`. */
static hits rank(query *of, const state *index) {
  hits all = {0};
  const asked *leads = rarest(of);
  uint64_t last = 0;
  for (size_t at = 0; leads && at < leads->found.len; at++) {
    const uint64_t record = leads->found.ptr[at].record;
    if (record == last || (!of->by_score && record <= of->after)) continue;
    last = record;
    if (fits(of, record)) add_hit(&all, (hit){record, score_of(of, record, index)});
  }
  if (of->by_score && all.len > 0) qsort(all.ptr, all.len, sizeof *all.ptr, compare_hits);
  return all;
}
#endif
