/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A node's clock: the true time seen with an offset (time of day only) and a drift. Integers;
 * monotonic never goes back. */
#ifndef SQUALL_SIM_CLOCK_H
#define SQUALL_SIM_CLOCK_H

#include <stdint.h>

/* Virtual time 0 is 2026-01-01T00:00:00Z. */
#define CLOCK_EPOCH_NS (INT64_C(1767225600) * 1000000000)

struct clock {
    int64_t base_true_ns;  /* true time of the last change of drift */
    int64_t base_local_ns; /* what the monotonic clock showed then */
    int64_t drift_ppm;
    int64_t offset_ns; /* of the time of day */
};

void clock_init(struct clock *clock, int64_t now_ns, int64_t offset_ns, int64_t drift_ppm);
/* A fault changes both by the given amounts; the monotonic clock stays continuous. */
void clock_shift(struct clock *clock, int64_t now_ns, int64_t offset_ns, int64_t drift_ppm);
/* The host is on again: the monotonic clock starts at 0, the time of day has gone on. */
void clock_restart(struct clock *clock, int64_t now_ns);
int64_t clock_monotonic(const struct clock *clock, int64_t now_ns);
int64_t clock_realtime(const struct clock *clock, int64_t now_ns);
/* What the monotonic clock will show at true time `true_ns` if its drift stays as it is; INT64_MAX
 * for INT64_MAX. */
int64_t clock_local_time(const struct clock *clock, int64_t true_ns);
/* True time that passes while this clock advances by `local_ns` >= 0 at its present speed; rounds
 * up, saturates. A timer that is pending keeps its true time: a change of drift moves those that
 * start later. */
int64_t clock_true_delay(const struct clock *clock, int64_t local_ns);

#endif
