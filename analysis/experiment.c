/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The size at which half of the runs stick (D50 of dose and response) is fitted where the runs
 * overlap. A system without chance tips at one size in all seeds: then no curve fits, and all that
 * is known is the pair of neighbouring sizes between which it tips. Which of the two it was is said
 * with the result. Nothing is extrapolated beyond the sizes that were run.
 *
 * Monotony is assumed by the search, since with named streams a longer trigger leaves arrivals as
 * they are, and checked where it is cheap. The check can miss an island; it cannot invent one. */
#include "analysis/experiment.h"

#include "sim/base/base.h"

#include <math.h>

#define CONFIDENCE 0.95
#define CHECKS     2
#define DOSES_MAX  512

uint64_t tally_told(const struct tally *tally)
{
    return tally->stable + tally->stuck;
}

static uint64_t tally_all(const struct tally *tally)
{
    return tally_told(tally) + tally->unstable + tally->undecided;
}

enum region region_of(const struct tally *points, uint32_t count)
{
    uint64_t runs = 0;
    uint64_t unstable = 0;
    bool has_stuck = false;
    bool is_told = count > 0;
    for (uint32_t i = 0; i < count; i++) {
        runs += tally_all(&points[i]);
        unstable += points[i].unstable;
        has_stuck |= points[i].stuck > 0;
        is_told &= tally_told(&points[i]) > 0 &&
                   2 * tally_told(&points[i]) > tally_told(&points[i]) + points[i].undecided;
    }
    if (runs > 0 && 2 * unstable >= runs) {
        return REGION_UNSTABLE;
    }
    return has_stuck ? REGION_VULNERABLE : is_told ? REGION_STABLE : REGION_UNKNOWN;
}

const char *region_name(enum region region)
{
    static const char *const names[] = {"stable", "vulnerable", "unstable", "unknown"};
    ASSERT(region < ARRAY_COUNT(names));
    return names[region];
}

struct bracket bracket_of(const double *loads, const enum region *regions, uint32_t count,
                          enum region least, bool *is_monotone)
{
    ASSERT(least == REGION_VULNERABLE || least == REGION_UNSTABLE);
    struct bracket bracket = {NAN, NAN};
    *is_monotone = true;
    for (uint32_t i = 0; i < count; i++) {
        if (regions[i] == REGION_UNKNOWN) {
            continue;
        }
        if (regions[i] >= least) {
            bracket.high = isnan(bracket.high) ? loads[i] : bracket.high;
        } else if (isnan(bracket.high)) {
            bracket.low = loads[i];
        } else {
            *is_monotone = false;
        }
    }
    return bracket;
}

/* ------------------------------------------------------------------------------------- tipping */

/* Between the last size at which less than half sticks before the first at which half does, and
 * that one: on the straight line through both shares. */
static struct tipping between(const struct dose *doses, uint32_t count)
{
    struct tipping tipping = {TIPPING_NONE, NAN, {NAN, NAN}};
    uint32_t at = 0;
    while (at < count && 2 * doses[at].hits < doses[at].trials) {
        at++;
    }
    if (at == count) {
        return tipping;
    }
    if (at == 0) {
        tipping.method = TIPPING_ALL;
        return tipping;
    }
    const struct dose *low = &doses[at - 1];
    const struct dose *high = &doses[at];
    double low_share = (double)low->hits / (double)low->trials;
    double high_share = (double)high->hits / (double)high->trials;
    tipping.method = TIPPING_BETWEEN;
    tipping.half = low->x + (high->x - low->x) * (0.5 - low_share) / (high_share - low_share);
    tipping.interval = (struct interval){low->x, high->x};
    return tipping;
}

struct tipping tipping_of(const double *sizes, const struct tally *points, uint32_t count)
{
    struct dose doses[DOSES_MAX];
    uint32_t used = 0;
    for (uint32_t i = 0; i < count && used < DOSES_MAX; i++) {
        if (tally_told(&points[i]) > 0) {
            doses[used++] = (struct dose){sizes[i], points[i].stuck, tally_told(&points[i])};
        }
    }
    struct tipping tipping = between(doses, used);
    if (tipping.method != TIPPING_BETWEEN) {
        return tipping;
    }
    struct logit_fit fit = logit_fit(doses, used, CONFIDENCE);
    bool is_inside =
        fit.is_fitted && fit.b > 0 && fit.half >= doses[0].x && fit.half <= doses[used - 1].x;
    return is_inside ? (struct tipping){TIPPING_FIT, fit.half, fit.interval} : tipping;
}

/* ----------------------------------------------------------------------------------- bisection */

void bisection_init(struct bisection *bisection, uint32_t count)
{
    ASSERT(count >= 2);
    *bisection = (struct bisection){.count = count, .low = 0, .high = count - 1};
}

/* A size in the middle of those beyond either end of the bracket that were not run: the larger ones
 * first. False: there is none. */
static bool find_check(const struct bisection *bisection, uint32_t *index)
{
    if (bisection->checks == 0 && bisection->count - 1 - bisection->high >= 2) {
        *index = bisection->high + (bisection->count - 1 - bisection->high) / 2;
        return true;
    }
    if (bisection->checks < CHECKS && bisection->low >= 2) {
        *index = bisection->low / 2;
        return true;
    }
    return false;
}

bool bisection_next(struct bisection *bisection, uint32_t *index)
{
    if (bisection->end != BISECTION_OPEN) {
        return false;
    }
    if (bisection->told < 2) {
        bisection->asked = bisection->told == 0 ? 0 : bisection->count - 1;
    } else if (bisection->high - bisection->low > 1) {
        bisection->asked = bisection->low + (bisection->high - bisection->low) / 2;
    } else if (!find_check(bisection, &bisection->asked)) {
        bisection->end = BISECTION_FOUND;
        return false;
    }
    *index = bisection->asked;
    return true;
}

static void tell_end(struct bisection *bisection, bool sticks)
{
    if (bisection->told == 1 && sticks) {
        bisection->end = BISECTION_BELOW;
    } else if (bisection->told == 2 && !sticks) {
        bisection->end = BISECTION_ABOVE;
    }
}

void bisection_tell(struct bisection *bisection, enum bisection_answer answer)
{
    ASSERT(bisection->end == BISECTION_OPEN);
    bisection->told++;
    if (answer == BISECTION_TELLS_NOTHING) {
        bisection->end = BISECTION_FAILED;
        return;
    }
    bool sticks = answer == BISECTION_STICKS;
    uint32_t asked = bisection->asked;
    if (bisection->told <= 2) {
        tell_end(bisection, sticks);
    } else if (bisection->high - bisection->low > 1) {
        *(sticks ? &bisection->high : &bisection->low) = asked;
    } else {
        bisection->is_contradicted |= sticks != (asked > bisection->high);
        bisection->checks = asked > bisection->high ? 1 : CHECKS;
    }
}

uint32_t bisection_runs_max(uint32_t count)
{
    uint32_t halvings = 0;
    for (uint32_t width = count - 1; width > 1; width = (width + 1) / 2) {
        halvings++;
    }
    return 2 + halvings + CHECKS;
}
