/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a cache shows of itself: after every hundred reads the counters `cache.hits` and
 * `cache.misses` (how many of these) and the gauge `cache.hit-rate` (of these, out of 1000). In
 * hundreds, because a record for each read would cost more than the read. */
#ifndef SQUALL_MODELS_TIER_METER_H
#define SQUALL_MODELS_TIER_METER_H

#include "squall.h"

#define METER_READS 100

struct meter {
    uint32_t hits;
    uint32_t misses;
};

static inline void meter_count(struct meter *meter, struct sq_env *env, bool is_hit)
{
    meter->hits += is_hit ? 1 : 0;
    meter->misses += is_hit ? 0 : 1;
    if (meter->hits + meter->misses < METER_READS) {
        return;
    }
    env->trace->see(env, SQ_SEE_COUNTER, meter->hits, 0, 0, "cache.hits");
    env->trace->see(env, SQ_SEE_COUNTER, meter->misses, 0, 0, "cache.misses");
    env->trace->see(env, SQ_SEE_GAUGE, meter->hits * 1000 / METER_READS, 0, 0, "cache.hit-rate");
    *meter = (struct meter){0};
}

#endif
