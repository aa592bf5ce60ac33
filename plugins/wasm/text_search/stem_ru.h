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


#define E ENDING
/** Endings of one kind, longer ones before those that they end in. Of those with `_A` an а or я has to stand before. */
static const ending RU_GERUND_A[] = {E("вшись"), E("вши"), E("в"), NO_ENDING};
static const ending RU_GERUND[] = {E("ившись"), E("ывшись"), E("ивши"), E("ывши"), E("ив"), E("ыв"), NO_ENDING};
static const ending RU_ADJECTIVE[] = {
    E("ими"), E("ыми"), E("его"), E("ого"), E("ему"), E("ому"), E("ее"), E("ие"), E("ые"), E("ое"), E("ей"),
    E("ий"), E("ый"), E("ой"), E("ем"), E("им"), E("ым"), E("ом"), E("их"), E("ых"), E("ую"), E("юю"), E("ая"),
    E("яя"), E("ою"), E("ею"), NO_ENDING};
static const ending RU_PARTICIPLE_A[] = {E("ем"), E("нн"), E("вш"), E("ющ"), E("щ"), NO_ENDING};
static const ending RU_PARTICIPLE[] = {E("ивш"), E("ывш"), E("ующ"), NO_ENDING};
static const ending RU_REFLEXIVE[] = {E("ся"), E("сь"), NO_ENDING};
static const ending RU_VERB_A[] = {
    E("ешь"), E("нно"), E("ете"), E("йте"), E("ла"), E("на"), E("ли"), E("ем"), E("ло"), E("но"), E("ет"), E("ют"),
    E("ны"), E("ть"), E("й"), E("л"), E("н"), NO_ENDING};
static const ending RU_VERB[] = {
    E("ейте"), E("уйте"), E("ила"), E("ыла"), E("ена"), E("ите"), E("или"), E("ыли"), E("ило"), E("ыло"), E("ено"),
    E("ует"), E("уют"), E("ены"), E("ить"), E("ыть"), E("ишь"), E("ей"), E("уй"), E("ил"), E("ыл"), E("им"),
    E("ым"), E("ен"), E("ят"), E("ит"), E("ыт"), E("ую"), E("ю"), NO_ENDING};
static const ending RU_NOUN[] = {
    E("иями"), E("ями"), E("ами"), E("ией"), E("иям"), E("ием"), E("иях"), E("ев"), E("ов"), E("ие"), E("ье"),
    E("еи"), E("ии"), E("ей"), E("ой"), E("ий"), E("ям"), E("ем"), E("ам"), E("ом"), E("ах"), E("ях"), E("ию"),
    E("ью"), E("ия"), E("ья"), E("а"), E("е"), E("и"), E("й"), E("о"), E("у"), E("ы"), E("ь"), E("ю"), E("я"),
    NO_ENDING};
static const ending RU_DERIVATION[] = {E("ость"), E("ост"), NO_ENDING};
static const ending RU_SUPERLATIVE[] = {E("ейше"), E("ейш"), NO_ENDING};

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
static size_t ru_longest(const russian *word, const ending *endings, size_t region, bool behind_a) {
  if (word->len < region) return 0;
  const char *part = word->at + region;
  const size_t len = word->len - region;
  for (; endings->len > 0; endings++) {
    if (!has_ending(part, len, endings)) continue;
    if (!behind_a) return endings->len;
    // The letter before the ending has to lie in the region too.
    if (len < (size_t)endings->len + RU_LETTER) continue;
    const char *before = part + len - endings->len - RU_LETTER;
    if (ru_is_letter(before, "а") || ru_is_letter(before, "я")) return endings->len;
  }
  return 0;
}

/** Takes off the longest ending of its kind. */
static bool ru_take(russian *word, const ending *behind_a, const ending *anywhere) {
  static const ending NONE[] = {NO_ENDING};
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

static bool ru_ends(const russian *word, ending with) {
  return word->len >= word->rv && has_ending(word->at + word->rv, word->len - word->rv, &with);
}

static void ru_single_n(russian *word) {
  if (ru_ends(word, (ending)E("нн"))) word->len -= RU_LETTER;
}

/** Answers the length of the stem in bytes: a Russian stem is the beginning of its word. */
static size_t stem_russian(const char *letters, size_t len) {
  russian word = {letters, len, 0, 0};
  ru_mark_regions(&word);
  ru_step1(&word);
  if (ru_ends(&word, (ending)E("и"))) word.len -= RU_LETTER;
  const size_t from = word.r2 > word.rv ? word.r2 : word.rv;
  word.len -= ru_longest(&word, RU_DERIVATION, from, false);
  if (ru_ends(&word, (ending)E("нн"))) {
    ru_single_n(&word);
  } else if (ru_take(&word, NULL, RU_SUPERLATIVE)) {
    ru_single_n(&word);
  } else if (ru_ends(&word, (ending)E("ь"))) {
    word.len -= RU_LETTER;
  }
  return word.len;
}
#undef E
#endif
