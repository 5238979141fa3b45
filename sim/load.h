/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Load generators: open loop (constant or ramping arrival rate, Poisson or evenly spaced) and
 * closed loop, a read/update mix over Zipf keys, through a stub. Arrivals, keys and kinds come from
 * streams of their own that do not depend on how the system answers, so two variants of a scenario
 * see the same intentions (open loop). Latency counts from the intended start.
 *
 * Operations start in [start, start + duration) and before the audit; a ramping load also ends with
 * its last stage. Rates are at most LOAD_RATE_MAX and a ramping stage lasts at most
 * LOAD_STAGE_NS_MAX: so the rate's integral is exact in 128 bits. */
#ifndef SQUALL_SIM_LOAD_H
#define SQUALL_SIM_LOAD_H

#include "sim/stub.h"

#define LOAD_RATE_MAX     (INT64_C(1) << 36) /* per 1000 s: 68 million a second */
#define LOAD_STAGE_NS_MAX (INT64_C(1) << 50) /* 13 days */
#define LOAD_SCALE_ONE    1000000
#define LOAD_SCALE_MAX    UINT64_C(100000000) /* a hundred times */

struct load;

/* `index` of the load in the spec. Allocates for one run. */
struct load *load_new(struct world *world, uint32_t index);
/* NULL is fine. The world's scheduler must still exist. */
void load_free(struct load *load);
/* Schedules the first arrival. */
void load_start(struct load *load);
/* From now on the load starts `factor` millionths of the operations that it would start: an open
 * load leaves arrivals out, or has more; a closed one has fewer or more users (at most a million).
 * What arrives anyhow arrives at the same time, with the same key and kind, whatever the factor. */
void load_set_scale(struct load *load, uint32_t factor);
struct stub *load_stub(struct load *load);

/* Zipf tables of a world: building one takes longer than many a run, so they are kept from run to
 * run. */
struct zipf_cache {
    struct zipf_law *laws;
    uint32_t count;
    uint32_t capacity;
};

void zipf_cache_init(struct zipf_cache *cache);
void zipf_cache_release(struct zipf_cache *cache);
/* The law of `count` keys with theta in thousandths; made when it is asked for the first time. Its
 * tables belong to the cache and stay until zipf_cache_release. */
struct zipf zipf_cache_find(struct zipf_cache *cache, uint32_t count, uint32_t theta_milli);

#endif
