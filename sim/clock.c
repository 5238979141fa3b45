/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * local = base_local + (now - base_true) * (1 + drift): one multiplication of 128 bits, rounded
 * down. */
#include "sim/clock.h"

#include "sim/base/base.h"

#define MILLION INT64_C(1000000)
/* Whatever faults add up to, a clock goes on, at a tenth of its speed at least and at ten times it
 * at most. The sum itself is kept, so that each fault takes back what it brought. */
#define DRIFT_PPM_MIN INT64_C(-900000)
#define DRIFT_PPM_MAX INT64_C(9000000)

static int64_t drift_of(const struct clock *clock)
{
    int64_t drift = clock->drift_ppm < DRIFT_PPM_MAX ? clock->drift_ppm : DRIFT_PPM_MAX;
    return drift > DRIFT_PPM_MIN ? drift : DRIFT_PPM_MIN;
}

void clock_init(struct clock *clock, int64_t now_ns, int64_t offset_ns, int64_t drift_ppm)
{
    ASSERT(drift_ppm > -MILLION);
    *clock = (struct clock){now_ns, 0, drift_ppm, offset_ns};
}

void clock_shift(struct clock *clock, int64_t now_ns, int64_t offset_ns, int64_t drift_ppm)
{
    int64_t local_ns = clock_monotonic(clock, now_ns);
    clock->offset_ns += (local_ns - clock->base_local_ns) - (now_ns - clock->base_true_ns);
    clock->base_local_ns = local_ns;
    clock->base_true_ns = now_ns;
    clock->drift_ppm += drift_ppm;
    clock->offset_ns += offset_ns;
}

void clock_restart(struct clock *clock, int64_t now_ns)
{
    clock_shift(clock, now_ns, 0, 0);
    clock->base_local_ns = 0;
}

int64_t clock_monotonic(const struct clock *clock, int64_t now_ns)
{
    ASSERT(now_ns >= clock->base_true_ns);
    int64_t passed = now_ns - clock->base_true_ns;
    if (clock->drift_ppm != 0) {
        passed = (int64_t)((__int128)passed * (MILLION + drift_of(clock)) / MILLION);
    }
    return clock->base_local_ns + passed;
}

int64_t clock_realtime(const struct clock *clock, int64_t now_ns)
{
    int64_t skew = 0;
    if (clock->drift_ppm != 0) {
        skew = (int64_t)((__int128)(now_ns - clock->base_true_ns) * drift_of(clock) / MILLION);
    }
    return CLOCK_EPOCH_NS + now_ns + skew + clock->offset_ns;
}

int64_t clock_true_delay(const struct clock *clock, int64_t local_ns)
{
    ASSERT(local_ns >= 0);
    if (clock->drift_ppm == 0) {
        return local_ns;
    }
    __int128 rate = MILLION + drift_of(clock);
    __int128 delay_ns = ((__int128)local_ns * MILLION + rate - 1) / rate;
    return delay_ns < INT64_MAX ? (int64_t)delay_ns : INT64_MAX;
}

int64_t clock_local_time(const struct clock *clock, int64_t true_ns)
{
    if (true_ns == INT64_MAX) {
        return INT64_MAX;
    }
    int64_t since_ns = true_ns > clock->base_true_ns ? true_ns : clock->base_true_ns;
    return clock_monotonic(clock, since_ns);
}
