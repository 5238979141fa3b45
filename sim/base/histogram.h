/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Log-linear histogram of non-negative 64-bit values in the manner of HdrHistogram: 64 linear steps
 * per power of two, so a value is known within 1.6 %; merges exactly; quantiles never lie outside
 * the recorded range. */
#ifndef SQUALL_BASE_HISTOGRAM_H
#define SQUALL_BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS 64
#define HISTOGRAM_BINS  ((64 - 6 + 1) * HISTOGRAM_STEPS)

struct histogram {
    uint64_t count;
    uint64_t minimum; /* of recorded values; UINT64_MAX when empty */
    uint64_t maximum;
    uint32_t bins[HISTOGRAM_BINS];
};

void histogram_clear(struct histogram *histogram);
void histogram_record(struct histogram *histogram, uint64_t value);
void histogram_merge(struct histogram *into, const struct histogram *from);
uint32_t histogram_bin_of(uint64_t value);
/* Bin covers [lo, hi); only the last one holds its `hi`, UINT64_MAX, too. */
uint64_t histogram_bin_lo(uint32_t bin);
uint64_t histogram_bin_hi(uint32_t bin);
/* Value at quantile per_mille/1000 (500 = median, 990 = p99): the middle of the bin, clamped to
 * [minimum, maximum]; 0 when empty. */
uint64_t histogram_quantile(const struct histogram *histogram, uint32_t per_mille);

#endif
