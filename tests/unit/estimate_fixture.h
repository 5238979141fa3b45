/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fleets for the tests of the estimators, and the question whether an estimate holds the truth. */
#ifndef SQUALL_TESTS_UNIT_ESTIMATE_FIXTURE_H
#define SQUALL_TESTS_UNIT_ESTIMATE_FIXTURE_H

#include "analysis/estimate.h"
#include "analysis/estimators.h"
#include "sim/base/base.h"
#include "sim/base/units.h"
#include "tests/unit/harness.h"

#include <stdio.h>

#define HOUR (INT64_C(3600) * NS_PER_S)

struct setting {
    uint32_t machines;
    uint32_t needed;
    uint32_t crews;
    uint32_t groups;
    uint32_t shock_permille;
    uint32_t failover_s;
};

static struct spec_service service;

static inline struct spec_fleet fleet_of(const struct setting *setting,
                                         enum spec_estimator estimator)
{
    service = (struct spec_service){.name = "s",
                                    .needed = setting->needed,
                                    .failover_ns = setting->failover_s * (int64_t)NS_PER_S};
    return (struct spec_fleet){
        .is_asked = true,
        .machines = setting->machines,
        .life = {.kind = DIST_EXPONENTIAL, .a = 99 * HOUR},
        .repair = {.kind = DIST_EXPONENTIAL, .a = HOUR},
        .crews = setting->crews,
        .shock_share = RNG_ALWAYS * setting->shock_permille / 1000,
        .groups = {{.name = "rack",
                    .count = setting->groups,
                    .life = {.kind = DIST_EXPONENTIAL, .a = 999 * HOUR},
                    .repair = {.kind = DIST_EXPONENTIAL, .a = HOUR}}},
        .services = &service,
        .service_count = 1,
        .estimator = estimator,
    };
}

/* `runs` replications, put together. */
static inline struct estimate_sums run(const struct spec_fleet *fleet, uint64_t first,
                                       uint32_t runs)
{
    struct estimate_sums sums = {0};
    for (uint32_t i = 0; i < runs; i++) {
        struct estimate_sums one;
        struct err err = {0};
        uint64_t digest = 0;
        uint64_t events = 0;
        CHECK(estimate_run(fleet, first + i, &one, &digest, &events, &err));
        CHECK_TEXT(err.text, "");
        CHECK(events > 0 || fleet->estimator <= SPEC_ESTIMATOR_EXACT);
        if (i == 0) {
            sums = one;
        } else {
            estimate_merge(&sums, &one);
        }
    }
    return sums;
}

static inline bool holds(const struct estimate_sums *sums, double truth, double half_width)
{
    const struct estimate wide = estimate_of(sums, .99);
    const struct estimate usual = estimate_of(sums, .95);
    bool is_fine = wide.interval.low <= truth && truth <= wide.interval.high &&
                   usual.half_width <= half_width && usual.hits >= 30;
    if (!is_fine) {
        printf("  %s: %.5g instead of %.5g, half-width %.3g, %d hits\n",
               estimate_method_name(sums->method), usual.unavailability, truth, usual.half_width,
               (int)usual.hits);
    }
    return is_fine;
}

static inline struct fleet_exact truth_of(const struct spec_fleet *fleet)
{
    struct fleet_model model;
    struct fleet_exact exact = {0};
    struct err err = {0};
    CHECK(estimate_model(fleet, 0, &model, &err));
    CHECK(fleet_exact(&model, &exact, &err));
    return exact;
}

#endif
