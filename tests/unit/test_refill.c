/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How an empty cache fills, predicted and simulated: the model `cache` before a `server` of 100
 * requests a second, 5,000 keys asked for by Zipf's law. */
#include "analysis/predict_refill.h"
#include "tests/unit/harness.h"
#include "tests/unit/server_lab.h"

#define REFILL_HOST                                                                                \
    "host: {cores: 1, queue: {limit: 100000000}, cpu: {perMessage: 0s, perByte: 0ns, "             \
    "perOperation: 0s, perTimer: 0s}}"

static const struct refill cold = {5000, .99, 100};

/* From an empty cache on; the database's answers are kept when they come within `timeout_s`. */
static void refill_run(struct lab *lab, double load_per_s, double timeout_s, uint64_t seed)
{
    char groups[2048];
    char load[512];
    snprintf(groups, sizeof(groups),
             "system:\n  groups:\n"
             "    - {name: cache, model: cache, nodes: 1, options: {target: db, capacity: 5000, "
             "maxInFlight: 1000000}, client: {target: db, timeout: %.0fms, deadline: none, retry: "
             "{maxAttempts: 1}}, " REFILL_HOST "}\n"
             "    - {name: db, model: server, nodes: 1, options: {serviceTime: 10ms, serviceLaw: "
             "deterministic}, " REFILL_HOST "}\n",
             timeout_s * 1e3);
    snprintf(load, sizeof(load),
             "{executor: constant-arrival-rate, rate: %.0f/s, arrivals: poisson, workload: "
             "{recordCount: 5000, requestDistribution: zipfian, zipfTheta: 0.99, readProportion: "
             "100%%, updateProportion: 0%%}}",
             load_per_s);
    lab_run(lab,
            (struct lab_options){
                .groups = groups, .load = load, .rate = "1/s", .limit_s = 150, .seed = seed},
            NULL);
}

/* Once the load is well above what the database serves the wait is that of the fluid, within a few
 * percent; the first thousand requests of a seed decide the rest. */
TEST(refill, the_longest_wait_is_that_of_the_fluid)
{
    static const double loads[] = {300, 500};
    for (uint32_t i = 0; i < 2; i++) {
        double sum_s = 0;
        for (uint64_t seed = 1; seed <= 2; seed++) {
            struct lab lab;
            double longest_s = 0;
            refill_run(&lab, loads[i], 3600, seed);
            for (uint32_t k = 0; k < lab.count; k++) {
                longest_s = fmax(longest_s, lab_sojourn_s(&lab.operations[k]));
            }
            sum_s += longest_s;
            lab_free(&lab);
        }
        CHECK(fabs(sum_s / 2 - refill_wait_max(&cold, loads[i])) < .06 * sum_s / 2);
    }
}

/* With three seconds of patience the cache fills at up to 303/s, three times what the database can
 * serve; at ten percent more its answers come too late to be kept, for good. */
TEST(refill, answers_that_come_too_late_leave_the_cache_empty)
{
    const double most = refill_load_max(&cold, 3);
    CHECK(fabs(most - 303) < 1);
    for (uint32_t i = 0; i < 2; i++) {
        struct lab lab;
        refill_run(&lab, most * (i == 0 ? .95 : 1.1), 3, 1);
        CHECK(i == 0 ? lab_goodput(&lab, 0, 145) == 1 : lab_goodput(&lab, 100, 145) < .75);
        lab_free(&lab);
    }
}

TEST(refill, the_law_has_the_limits_that_it_must_have)
{
    CHECK(refill_wait_max(&cold, 100) == 0);
    CHECK(fabs(refill_load_max(&cold, 0) - 100) < .01);
    CHECK(refill_load_max(&cold, 1) < refill_load_max(&cold, 2));
    /* Without skew every key has to be asked for. One key alone: what came before its answer. */
    const struct refill flat = {5000, 0, 100};
    CHECK(refill_load_max(&flat, 3) < refill_load_max(&cold, 3));
    const struct refill one = {1, 1, 100};
    CHECK(refill_wait_max(&one, 1000) < .1);
    CHECK(refill_load_max(&one, 3600) == INFINITY);
    CHECK(isnan(refill_wait_max(&cold, 0)));
    CHECK(isnan(refill_load_max(&cold, -1)));
    CHECK(isnan(refill_load_max(&(struct refill){0, 1, 100}, 1)));
    CHECK(isnan(refill_wait_max(&(struct refill){10, -1, 100}, 1)));
    CHECK(isnan(refill_wait_max(&(struct refill){10, 1, 0}, 1)));
}

TEST(refill, any_number_of_keys_can_be_taken_together)
{
    /* The last keys of many are asked for so seldom that more of them change little. */
    const struct refill many = {100000000, 1.5, 1000};
    const struct refill most = {UINT32_MAX, 1.5, 1000};
    const double load_per_s = refill_load_max(&many, 1);
    CHECK(load_per_s > 1000);
    CHECK(fabs(refill_load_max(&most, 1) / load_per_s - 1) < .001);
}
