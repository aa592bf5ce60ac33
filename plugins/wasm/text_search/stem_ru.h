/**
 * The stem of a Russian word, by the rules of the Snowball algorithm for Russian: its published description, written
 * anew. Words are UTF-8 in small letters without `ё`, two bytes a letter.
 */
#ifndef STEM_RU_H
#define STEM_RU_H
#include "bytes.h"

#define RU_LETTER 2

typedef struct {
  const char *at;
  size_t len;
  /** Where the regions RV and R2 begin, in bytes. */
  size_t rv;
  size_t r2;
} russian;


static const char *const RU_GERUND_A[] = {"вшись", "вши", "в", NULL};
static const char *const RU_GERUND[] = {"ившись", "ывшись", "ивши", "ывши", "ив", "ыв", NULL};
static const char *const RU_ADJECTIVE[] = {"ими", "ыми", "его", "ого", "ему", "ому", "ее", "ие", "ые",
                                           "ое",  "ей",  "ий",  "ый",  "ой",  "ем",  "им", "ым", "ом",
                                           "их",  "ых",  "ую",  "юю",  "ая",  "яя",  "ою", "ею", NULL};
static const char *const RU_PARTICIPLE_A[] = {"ем", "нн", "вш", "ющ", "щ", NULL};
static const char *const RU_PARTICIPLE[] = {"ивш", "ывш", "ующ", NULL};
static const char *const RU_REFLEXIVE[] = {"ся", "сь", NULL};
static const char *const RU_VERB_A[] = {"ешь", "нно", "ете", "йте", "ла", "на", "ли", "ем", "ло", "но",
                                        "ет",  "ют",  "ны",  "ть",  "й",  "л",  "н",  NULL};
static const char *const RU_VERB[] = {"ейте", "уйте", "ила", "ыла", "ена", "ите", "или", "ыли", "ило", "ыло",
                                      "ено",  "ует",  "уют", "ены", "ить", "ыть", "ишь", "ей",  "уй",  "ил",
                                      "ыл",   "им",   "ым",  "ен",  "ят",  "ит",  "ыт",  "ую",  "ю",   NULL};
static const char *const RU_NOUN[] = {"иями", "ями", "ами", "ией", "иям", "ием", "иях", "ев", "ов", "ие", "ье", "еи",
                                      "ии",   "ей",  "ой",  "ий",  "ям",  "ем",  "ам",  "ом", "ах", "ях", "ию", "ью",
                                      "ия",   "ья",  "а",   "е",   "и",   "й",   "о",   "у",  "ы",  "ь",  "ю",  "я",
                                      NULL};
static const char *const RU_DERIVATION[] = {"ость", "ост", NULL};
static const char *const RU_SUPERLATIVE[] = {"ейше", "ейш", NULL};

static bool ru_is_letter(const char *at, const char *letter) { return memcmp(at, letter, RU_LETTER) == 0; }

static bool ru_vowel(const char *at) {
  static const char VOWELS[] = "аеиоуыэюя";
  for (size_t each = 0; each + RU_LETTER < sizeof VOWELS; each += RU_LETTER)
    if (ru_is_letter(at, VOWELS + each)) return true;
  return false;
}

/** Behind the first consonant that follows a vowel. */
static size_t ru_region(const russian *word, size_t from) {
  for (size_t at = from + RU_LETTER; at < word->len; at += RU_LETTER)
    if (!ru_vowel(word->at + at) && ru_vowel(word->at + at - RU_LETTER)) return at + RU_LETTER;
  return word->len;
}

static void ru_mark_regions(russian *word) {
  for (word->rv = 0; word->rv < word->len && !ru_vowel(word->at + word->rv);) word->rv += RU_LETTER;
  word->rv = word->rv < word->len ? word->rv + RU_LETTER : word->len;
  word->r2 = ru_region(word, ru_region(word, 0));
}

/** Length of the longest ending of the list that lies in the region; 0 without one. */
static size_t ru_longest(const russian *word, const char *const *endings, size_t region, bool behind_a) {
  for (; *endings; endings++) {
    const size_t len = strlen(*endings);
    if (word->len < region + len || memcmp(word->at + word->len - len, *endings, len) != 0) continue;
    if (!behind_a) return len;
    // The letter before the ending has to lie in the region too.
    if (word->len < region + len + RU_LETTER) continue;
    const char *before = word->at + word->len - len - RU_LETTER;
    if (ru_is_letter(before, "а") || ru_is_letter(before, "я")) return len;
  }
  return 0;
}

/** Takes off the longest ending of its kind. */
static bool ru_take(russian *word, const char *const *behind_a, const char *const *anywhere) {
  static const char *const NONE[] = {NULL};
  const size_t one = ru_longest(word, behind_a ? behind_a : NONE, word->rv, true);
  const size_t other = ru_longest(word, anywhere, word->rv, false);
  const size_t len = one > other ? one : other;
  word->len -= len;
  return len > 0;
}

static void ru_step1(russian *word) {
  if (ru_take(word, RU_GERUND_A, RU_GERUND)) return;
  ru_take(word, NULL, RU_REFLEXIVE);
  if (ru_take(word, NULL, RU_ADJECTIVE)) {
    ru_take(word, RU_PARTICIPLE_A, RU_PARTICIPLE);
    return;
  }
  if (!ru_take(word, RU_VERB_A, RU_VERB)) ru_take(word, NULL, RU_NOUN);
}

static bool ru_ends(const russian *word, const char *ending) {
  const size_t len = strlen(ending);
  return word->len >= word->rv + len && memcmp(word->at + word->len - len, ending, len) == 0;
}

static void ru_single_n(russian *word) {
  if (ru_ends(word, "нн")) word->len -= RU_LETTER;
}

/** Answers the length of the stem in bytes: a Russian stem is the beginning of its word. */
static size_t stem_russian(const char *letters, size_t len) {
  russian word = {letters, len, 0, 0};
  ru_mark_regions(&word);
  ru_step1(&word);
  if (ru_ends(&word, "и")) word.len -= RU_LETTER;
  const size_t from = word.r2 > word.rv ? word.r2 : word.rv;
  word.len -= ru_longest(&word, RU_DERIVATION, from, false);
  if (ru_ends(&word, "нн")) {
    ru_single_n(&word);
  } else if (ru_take(&word, NULL, RU_SUPERLATIVE)) {
    ru_single_n(&word);
  } else if (ru_ends(&word, "ь")) {
    word.len -= RU_LETTER;
  }
  return word.len;
}
#endif
