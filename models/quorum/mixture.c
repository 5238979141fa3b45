/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A part is chosen by its share, and then its own quantile function is evaluated at a fresh draw,
 * with the logarithm and the power of the server model's laws (models/server/law.c): integers only,
 * with tails that go on to probabilities of 2^-64. So a mixture is exact in both tails, where a
 * table of quantiles would end; that is what t-visibility at 99.9 % hangs on.
 *
 * Pareto: P(X > x) = (a / x)^shape, so x = a exp(E / shape) with an exponential E.
 *
 * Not here: laws with memory, and a law that is cut off. */
#include "mixture.h"

#include "../server/law.h"

#include <assert.h>

#define SHARE_ONE INT64_C(100000000)

static const char *const names[] = {"constant", "uniform", "exponential", "pareto"};

/* A place in the text. */
struct reader {
    const char *at;
};

static void skip_blanks(struct reader *reader)
{
    reader->at += strspn(reader->at, " ");
}

static bool take(struct reader *reader, const char *word)
{
    size_t length = strlen(word);
    skip_blanks(reader);
    if (strncmp(reader->at, word, length) != 0) {
        return false;
    }
    reader->at += length;
    return true;
}

/* A decimal number, times 10^decimals; digits that do not fit are rounded half up. */
static bool take_decimal(struct reader *reader, uint32_t decimals, int64_t *value)
{
    skip_blanks(reader);
    const char *start = reader->at;
    int64_t number = 0;
    uint32_t behind = 0;
    bool is_behind = false;
    bool is_rounded = false;
    for (; (*reader->at >= '0' && *reader->at <= '9') || (*reader->at == '.' && !is_behind);
         reader->at++) {
        if (*reader->at == '.') {
            is_behind = true;
        } else if (behind < decimals) {
            if (number > INT64_MAX / 100) {
                return false;
            }
            number = number * 10 + (*reader->at - '0');
            behind += is_behind;
        } else if (!is_rounded) {
            number += *reader->at >= '5';
            is_rounded = true;
        }
    }
    if (reader->at == start) {
        return false;
    }
    for (; behind < decimals; behind++) {
        if (number > INT64_MAX / 100) {
            return false;
        }
        number *= 10;
    }
    *value = number;
    return true;
}

static bool take_duration(struct reader *reader, sq_time *value)
{
    static const struct {
        const char *name;
        uint32_t decimals;
    } units[] = {{"ns", 0}, {"us", 3}, {"ms", 6}, {"s", 9}};
    skip_blanks(reader);
    const char *unit = reader->at + strspn(reader->at, "0123456789.");
    for (uint32_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strncmp(unit, units[i].name, strlen(units[i].name)) == 0) {
            return take_decimal(reader, units[i].decimals, value) && take(reader, units[i].name) &&
                   *value <= (INT64_C(1) << 53);
        }
    }
    return false;
}

/* What follows the name of the law. */
static bool take_parameters(struct reader *reader, struct mixture_part *part)
{
    if (!take_duration(reader, &part->a)) {
        return false;
    }
    switch (part->kind) {
    case MIXTURE_CONSTANT:
    case MIXTURE_EXPONENTIAL:
        return true;
    case MIXTURE_UNIFORM:
        return take_duration(reader, &part->b) && part->b >= part->a;
    case MIXTURE_PARETO:
        return take_decimal(reader, 3, &part->shape) && part->shape >= 1 &&
               part->shape <= 1000000 && part->a >= 1;
    }
    return false;
}

static bool take_part(struct reader *reader, struct mixture_part *part, bool *has_share)
{
    int64_t share = SHARE_ONE;
    skip_blanks(reader);
    *has_share = *reader->at >= '0' && *reader->at <= '9';
    if (*has_share && !(take_decimal(reader, 6, &share) && take(reader, "%"))) {
        return false;
    }
    part->until = share;
    for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (take(reader, names[i])) {
            part->kind = (enum mixture_kind)i;
            return take_parameters(reader, part);
        }
    }
    return false;
}

bool mixture_parse(struct mixture *mixture, const char *text)
{
    struct reader reader = {text};
    int64_t total = 0;
    bool has_share = true;
    *mixture = (struct mixture){0};
    skip_blanks(&reader);
    if (*reader.at == '\0') {
        return true;
    }
    do {
        struct mixture_part *part = &mixture->parts[mixture->part_count];
        if (mixture->part_count == MIXTURE_PARTS_MAX || !has_share ||
            !take_part(&reader, part, &has_share) || (!has_share && mixture->part_count > 0) ||
            part->until > SHARE_ONE) {
            return false;
        }
        total += part->until;
        part->until = total;
        mixture->part_count++;
    } while (take(&reader, "+"));
    skip_blanks(&reader);
    return *reader.at == '\0' && total == SHARE_ONE;
}

sq_time mixture_sample(struct sq_env *env, const struct mixture *mixture)
{
    const struct mixture_part *part = mixture->parts;
    if (mixture->part_count == 0) {
        return 0;
    }
    if (mixture->part_count > 1) {
        int64_t place = (int64_t)env->rand->below(env, (uint64_t)SHARE_ONE);
        while (part->until <= place) {
            part++;
        }
    }
    assert(part < mixture->parts + mixture->part_count);
    switch (part->kind) {
    case MIXTURE_CONSTANT:
        return part->a;
    case MIXTURE_UNIFORM:
        return part->a + (sq_time)env->rand->below(env, (uint64_t)(part->b - part->a) + 1);
    case MIXTURE_EXPONENTIAL:
        return law_sample(env, &(struct law){.kind = LAW_EXPONENTIAL, .mean = part->a});
    case MIXTURE_PARETO: {
        int64_t exponential = law_minus_ln_q40(env->rand->u64(env));
        return law_scale_exp(part->a, (int64_t)((__int128)exponential * 1000 / part->shape));
    }
    }
    return 0;
}
