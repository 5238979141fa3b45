/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Load generators: open loop (constant or ramping arrival rate, Poisson or evenly spaced) and closed loop, a read/update mix over
 * Zipf keys, through a stub. Arrivals, keys and kinds come from streams of their own that do not depend on how the
 * system answers, so two variants of a scenario see the same intentions (open loop). Latency counts from the intended start. */
#ifndef SQUALL_SIM_LOAD_H
#define SQUALL_SIM_LOAD_H

#include "sim/stub.h"

struct load;

/* `index` of the load in the spec. Allocates for one run. */
struct load *load_new(struct world *world, uint32_t index);
void load_free(struct load *load);
/* Schedules the first arrival. */
void load_start(struct load *load);
struct stub *load_stub(struct load *load);

#endif
