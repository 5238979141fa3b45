/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/harness.h"

#include "sim/base/units.h"
#include "sim/clock.h"

TEST(clock, without_drift_it_shows_the_time_since_its_start)
{
    struct clock clock;
    clock_init(&clock, 5 * NS_PER_S, 0, 0);
    CHECK_EQUAL(clock_monotonic(&clock, 5 * NS_PER_S), 0);
    CHECK_EQUAL(clock_monotonic(&clock, 7 * NS_PER_S), 2 * NS_PER_S);
    CHECK_EQUAL(clock_realtime(&clock, 7 * NS_PER_S), CLOCK_EPOCH_NS + 7 * NS_PER_S);
}

TEST(clock, drift_is_parts_per_million)
{
    struct clock clock;
    clock_init(&clock, 0, 0, 100);
    CHECK_EQUAL(clock_monotonic(&clock, 10 * NS_PER_S), 10 * NS_PER_S + NS_PER_MS);
    CHECK_EQUAL(clock_realtime(&clock, 10 * NS_PER_S), CLOCK_EPOCH_NS + 10 * NS_PER_S + NS_PER_MS);
}

TEST(clock, a_shift_keeps_the_monotonic_clock_continuous_and_moves_the_date)
{
    struct clock clock;
    clock_init(&clock, 0, 0, 500);
    int64_t before = clock_monotonic(&clock, NS_PER_S);
    int64_t date = clock_realtime(&clock, NS_PER_S);
    clock_shift(&clock, NS_PER_S, -300 * NS_PER_MS, -500);
    CHECK_EQUAL(clock_monotonic(&clock, NS_PER_S), before);
    CHECK_EQUAL(clock_realtime(&clock, NS_PER_S), date - 300 * NS_PER_MS);
    CHECK_EQUAL(clock_monotonic(&clock, 2 * NS_PER_S), before + NS_PER_S);
    CHECK_EQUAL(clock_realtime(&clock, 2 * NS_PER_S), date - 300 * NS_PER_MS + NS_PER_S);
}

TEST(clock, a_delay_of_the_clock_is_never_over_too_early)
{
    for (int64_t drift = -100000; drift <= 100000; drift += 7919) {
        struct clock clock;
        clock_init(&clock, 0, 0, drift);
        for (int64_t local = 0; local < 1000000007; local = local * 3 + 1) {
            int64_t delay = clock_true_delay(&clock, local);
            CHECK(clock_monotonic(&clock, delay) >= local);
            CHECK(delay == 0 || clock_monotonic(&clock, delay - 1) < local);
        }
    }
}
