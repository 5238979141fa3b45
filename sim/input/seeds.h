/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Lists of seeds: "42", "0x2a", "1..1000", "1000@1" (count@first), and these joined by commas. */
#ifndef SQUALL_INPUT_SEEDS_H
#define SQUALL_INPUT_SEEDS_H

#include "sim/base/arena.h"
#include "sim/base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define SEEDS_RANGES_MAX 1024

struct seed_range {
    uint64_t first;
    uint64_t count; /* >= 1; first + count - 1 does not wrap */
};

/* No seed may occur twice, and the number of all must fit 63 bits. Ranges keep the order of the
 * text and are allocated in `arena`. */
bool seeds_parse(const char *text, struct arena *arena, struct seed_range **ranges,
                 uint32_t *range_count, uint64_t *seed_count, struct err *err);

#endif
