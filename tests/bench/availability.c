/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What an estimate costs, and whether its interval says the truth.
 *
 * `availability`: processor time and events until the half-width of a 95 % interval is 10 %, for
 * all copies down (up to twenty nines) and for the loss of a majority, by two estimators that have
 * nothing in common but the scenario. `coverage`: in how many of 200 replications the interval
 * holds the exact answer; outside 90 .. 98 % the program fails. */
#include "tests/bench/bench.h"

#include "analysis/estimate.h"
#include "analysis/estimators.h"
#include "sim/base/units.h"

#include <stdio.h>
#include <stdlib.h>

#define HOUR       (INT64_C(3600) * NS_PER_S)
#define SEEDS_MAX  2000
#define HALF_WIDTH 0.1
#define SEEDS      200

struct question {
    uint32_t machines;
    uint32_t needed;
    uint32_t crews;
    uint32_t groups;
    uint32_t shock_permille;
    uint32_t failover_s;
    uint32_t shock_ppm;    /* on top of the others */
    uint32_t group_life_h; /* 0: 999 */
};

static struct spec_fleet fleet_of(const struct question *question, struct spec_service *service,
                                  enum spec_estimator estimator)
{
    *service = (struct spec_service){.name = "s",
                                     .needed = question->needed,
                                     .failover_ns = question->failover_s * (int64_t)NS_PER_S};
    return (struct spec_fleet){
        .is_asked = true,
        .machines = question->machines,
        .life = {.kind = DIST_EXPONENTIAL, .a = 99 * HOUR},
        .repair = {.kind = DIST_EXPONENTIAL, .a = HOUR},
        .crews = question->crews,
        .shock_share =
            RNG_ALWAYS * (1000 * question->shock_permille + question->shock_ppm) / 1000000,
        .groups = {{.name = "rack",
                    .count = question->groups,
                    .life = {.kind = DIST_EXPONENTIAL,
                             .a = (question->group_life_h == 0 ? 999 : question->group_life_h) *
                                  HOUR},
                    .repair = {.kind = DIST_EXPONENTIAL, .a = HOUR}}},
        .services = service,
        .service_count = 1,
        .estimator = estimator,
    };
}

static void add_seed(const struct spec_fleet *fleet, uint64_t seed, struct estimate_sums *sums)
{
    struct estimate_sums one;
    struct err err = {0};
    uint64_t digest;
    uint64_t events;
    if (!estimate_run(fleet, seed, &one, &digest, &events, &err)) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    if (sums->count == 0) {
        *sums = one;
    } else {
        estimate_merge(sums, &one);
    }
}

static double truth_of(const struct spec_fleet *fleet)
{
    struct fleet_model model;
    struct fleet_exact exact;
    struct err err = {0};
    if (!estimate_model(fleet, 0, &model, &err) || !fleet_exact(&model, &exact, &err)) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    return exact.unavailability;
}

static void price(uint32_t machines, uint32_t needed, enum spec_estimator estimator)
{
    const struct question question = {.machines = machines, .needed = needed};
    struct spec_service service;
    struct estimate_sums sums = {0};
    const struct spec_fleet fleet = fleet_of(&question, &service, estimator);
    const int64_t begin_ns = bench_cpu_ns();
    uint64_t seed = 0;
    while (seed < SEEDS_MAX && (seed == 0 || !estimate_is_enough(&sums, HALF_WIDTH, .95))) {
        add_seed(&fleet, ++seed, &sums);
    }
    struct estimate estimate = estimate_of(&sums, .95);
    estimate_widen(&estimate);
    printf(
        "%-7s %2u machines, %-8s  %8.3f s  %9.3g events  %4u seeds  estimate/exact %.3f +- %.3f\n",
        estimate_method_name(sums.method), machines, needed == 1 ? "any" : "majority",
        (double)(bench_cpu_ns() - begin_ns) / 1e9, (double)estimate.events, (unsigned)seed,
        estimate.unavailability / truth_of(&fleet), estimate.half_width);
    (void)fflush(stdout);
}

void bench_availability(const struct bench *bench)
{
    static const enum spec_estimator estimators[] = {SPEC_ESTIMATOR_IS, SPEC_ESTIMATOR_RESTART};
    (void)bench;
    for (uint32_t i = 0; i < 2; i++) {
        for (uint32_t machines = 2; machines <= 10; machines += 2) {
            price(machines, 1, estimators[i]);
        }
        for (uint32_t machines = 3; machines <= 9; machines += 2) {
            price(machines, machines / 2 + 1, estimators[i]);
        }
    }
    price(2, 1, SPEC_ESTIMATOR_CRUDE);
    price(3, 2, SPEC_ESTIMATOR_CRUDE);
}

/* `merged` replications for each interval. */
static bool cover(const struct question *question, enum spec_estimator estimator, uint32_t merged)
{
    struct spec_service service;
    const struct spec_fleet fleet = fleet_of(question, &service, estimator);
    const double truth = truth_of(&fleet);
    enum estimate_method method = ESTIMATE_EXACT;
    uint32_t below = 0;
    uint32_t above = 0;
    for (uint32_t i = 0; i < SEEDS; i++) {
        struct estimate_sums sums = {0};
        for (uint32_t k = 0; k < merged; k++) {
            add_seed(&fleet, 1 + i * merged + k, &sums);
        }
        const struct estimate estimate = estimate_of(&sums, .95);
        below += estimate.interval.high < truth ? 1 : 0;
        above += estimate.interval.low > truth ? 1 : 0;
        method = sums.method;
    }
    const double share = 1 - (double)(below + above) / SEEDS;
    const bool is_fine = share >= .9 && share <= .98;
    printf("%-7s %u machines, %u groups, shocks %.2f %%, %u needed: %.1f %% of %u intervals hold "
           "the truth, %u below, %u "
           "above%s\n",
           estimate_method_name(method), question->machines, question->groups,
           question->shock_permille / 10.0 + question->shock_ppm / 10000.0, question->needed,
           100 * share, SEEDS, below, above, is_fine ? "" : "  FAIL");
    (void)fflush(stdout);
    return is_fine;
}

/* The same for campaigns that stop at the first look at which they are precise enough, as they are
 * printed, and, to show why they are, without widening. */
static bool cover_sequential(const struct question *question, enum spec_estimator estimator)
{
    struct spec_service service;
    const struct spec_fleet fleet = fleet_of(question, &service, estimator);
    const double truth = truth_of(&fleet);
    uint32_t held = 0;
    uint32_t held_narrow = 0;
    uint32_t seeds = 0;
    for (uint32_t i = 0; i < SEEDS; i++) {
        struct estimate_sums sums = {0};
        uint32_t look = 1;
        uint32_t count = 0;
        do {
            for (; count < look; count++) {
                add_seed(&fleet, 100000 + i * 1000 + count, &sums);
            }
            look += (look + 1) / 2;
        } while (!estimate_is_enough(&sums, HALF_WIDTH, .95));
        struct estimate estimate = estimate_of(&sums, .95);
        held_narrow += estimate.interval.low <= truth && truth <= estimate.interval.high ? 1 : 0;
        estimate_widen(&estimate);
        held += estimate.interval.low <= truth && truth <= estimate.interval.high ? 1 : 0;
        seeds += count;
    }
    const bool is_fine = (double)held / SEEDS >= .9;
    printf("%-7s %u machines, %u needed, stopped at 10 %%: %.1f %% hold the truth (%.1f %% if they "
           "were not wider), %.1f seeds each%s\n",
           fleet.estimator == SPEC_ESTIMATOR_IS ? "is" : "restart", question->machines,
           question->needed, 100.0 * held / SEEDS, 100.0 * held_narrow / SEEDS,
           (double)seeds / SEEDS, is_fine ? "" : "  FAIL");
    (void)fflush(stdout);
    return is_fine;
}

/* Where shocks and groups are rare, and where groups are many or of different sizes. */
static bool cover_common_causes(void)
{
    static const struct question both[] = {
        /* machines, needed, crews, groups, shock o/oo, failover s, shock ppm, life of a group h */
        {5, 1, 0, 0, 0, 0, 100, 0},    {3, 2, 0, 0, 0, 10, 100, 0}, {5, 1, 1, 0, 1, 0, 0, 0},
        {4, 2, 0, 2, 0, 0, 0, 100000}, {6, 4, 2, 3, 10, 10, 0, 0},  {4, 3, 0, 3, 0, 10, 0, 99}};
    static const struct question many[] = {{9, 1, 0, 9, 0, 0, 0, 10000},
                                           {9, 5, 0, 9, 0, 0, 0, 10000},
                                           {9, 1, 0, 3, 0, 0, 0, 10000},
                                           {6, 1, 0, 3, 0, 0, 0, 1000000},
                                           {12, 7, 2, 4, 1, 10, 0, 0}};
    bool is_fine = true;
    for (uint32_t i = 0; i < sizeof(both) / sizeof(both[0]); i++) {
        is_fine = cover(&both[i], SPEC_ESTIMATOR_IS, 1) && is_fine;
        is_fine = cover(&both[i], SPEC_ESTIMATOR_RESTART, 2) && is_fine;
    }
    for (uint32_t i = 0; i < sizeof(many) / sizeof(many[0]); i++) {
        is_fine = cover(&many[i], SPEC_ESTIMATOR_IS, 1) && is_fine;
    }
    return is_fine;
}

void bench_coverage(const struct bench *bench)
{
    static const struct question questions[] = {
        {5, 3, 0, 0, 0, 0, 0, 0}, {9, 5, 1, 3, 10, 10, 0, 0}, {3, 1, 0, 0, 0, 0, 0, 0}};
    bool is_fine = true;
    (void)bench;
    for (uint32_t i = 0; i < 2; i++) {
        is_fine = cover(&questions[i], SPEC_ESTIMATOR_CRUDE, 1) && is_fine;
        is_fine = cover(&questions[i], SPEC_ESTIMATOR_IS, 1) && is_fine;
        is_fine = cover(&questions[i], SPEC_ESTIMATOR_RESTART, 4) && is_fine;
    }
    is_fine = cover_common_causes() && is_fine;
    is_fine = cover_sequential(&questions[0], SPEC_ESTIMATOR_RESTART) && is_fine;
    is_fine = cover_sequential(&questions[2], SPEC_ESTIMATOR_RESTART) && is_fine;
    if (!is_fine) {
        exit(1);
    }
}
