/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A list of seeds is kept as ranges, so that a million seeds cost nothing. A seed that occurs twice
 * would count twice in every statistic, so that is refused. */
#include "sim/input/seeds.h"

#include "sim/base/base.h"
#include "sim/base/units.h"

#include <inttypes.h>
#include <string.h>

#define PART_BYTES 64

static bool refuse(struct err *err, const char *text)
{
    return err_set(err, ERR_INPUT,
                   "'%s' is not a list of seeds: write for example '42', '1..1000', '1000@1' "
                   "(1000 seeds from 1) or '1,5,7'",
                   text);
}

/* "a..b", "count@first" or a single seed. */
static bool parse_range(char *part, struct seed_range *range, const char *text, struct err *err)
{
    char *dots = strstr(part, "..");
    char *at = strchr(part, '@');
    uint64_t left = 0;
    uint64_t right = 0;
    if (dots == NULL && at == NULL) {
        range->count = 1;
        return units_u64(part, &range->first, NULL) || refuse(err, text);
    }
    char *cut = dots != NULL ? dots : at;
    *cut = '\0';
    const char *rest = cut + (dots != NULL ? 2 : 1);
    if (!units_u64(part, &left, NULL) || !units_u64(rest, &right, NULL)) {
        return refuse(err, text);
    }
    if (dots != NULL) {
        if (right < left) {
            return err_set(err, ERR_INPUT,
                           "seeds '%" PRIu64 "..%" PRIu64 "' run backwards: write '%" PRIu64
                           "..%" PRIu64 "'",
                           left, right, right, left);
        }
        *range = (struct seed_range){left, right - left + 1};
        return right - left < INT64_MAX || err_set(err, ERR_INPUT, "'%s' has too many seeds", text);
    }
    if (left == 0 || left > INT64_MAX || right > UINT64_MAX - (left - 1)) {
        return err_set(err, ERR_INPUT, "'%s' has no seeds, or too many", text);
    }
    *range = (struct seed_range){right, left};
    return true;
}

static bool overlap(const struct seed_range *left, const struct seed_range *right)
{
    uint64_t left_last = left->first + (left->count - 1);
    uint64_t right_last = right->first + (right->count - 1);
    return left->first <= right_last && right->first <= left_last;
}

static bool add_range(struct seed_range *ranges, uint32_t *count, struct seed_range range,
                      uint64_t *total, struct err *err)
{
    if (*count == SEEDS_RANGES_MAX) {
        return err_set(err, ERR_INPUT, "more than %d ranges of seeds", SEEDS_RANGES_MAX);
    }
    for (uint32_t index = 0; index < *count; index++) {
        if (overlap(&ranges[index], &range)) {
            uint64_t twice = range.first > ranges[index].first ? range.first : ranges[index].first;
            return err_set(err, ERR_INPUT, "seed %" PRIu64 " is named twice", twice);
        }
    }
    if (range.count > INT64_MAX - *total) {
        return err_set(err, ERR_INPUT, "too many seeds");
    }
    ranges[(*count)++] = range;
    *total += range.count;
    return true;
}

bool seeds_parse(const char *text, struct arena *arena, struct seed_range **ranges,
                 uint32_t *range_count, uint64_t *seed_count, struct err *err)
{
    ASSERT(text != NULL);
    ASSERT(ranges != NULL);
    *range_count = 0;
    *seed_count = 0;
    uint32_t parts = 1;
    for (const char *at = text; *at != '\0'; at++) {
        parts += *at == ',' ? 1 : 0;
    }
    parts = parts < SEEDS_RANGES_MAX ? parts : SEEDS_RANGES_MAX;
    *ranges = arena_alloc_array(arena, parts, sizeof(**ranges));
    for (const char *at = text;; at++) {
        char part[PART_BYTES];
        at += strspn(at, " ");
        size_t length = strcspn(at, ", ");
        if (length == 0 || length >= sizeof(part)) {
            return refuse(err, text);
        }
        memcpy(part, at, length);
        part[length] = '\0';
        struct seed_range range = {0};
        if (!parse_range(part, &range, text, err) ||
            !add_range(*ranges, range_count, range, seed_count, err)) {
            return false;
        }
        at += length;
        at += strspn(at, " ");
        if (*at == '\0') {
            return true;
        }
        if (*at != ',') {
            return refuse(err, text);
        }
    }
}
