/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Log-linear bins in the manner of HdrHistogram (Tene): values below 64 have a bin each; above,
 * every power of two is cut into 64 equal steps, so a bin is never wider than 1/64 of its lower
 * edge. Bins depend on the value alone, so histograms merge by addition and a merged one equals one
 * that recorded everything. */
#include "sim/base/histogram.h"

#include "sim/base/base.h"

#include <string.h>

#define STEP_BITS 6

static_assert(HISTOGRAM_STEPS == 1 << STEP_BITS, "steps are a power of two");
static_assert(HISTOGRAM_BINS == (64 - STEP_BITS + 1) * HISTOGRAM_STEPS, "one group a power of two");

void histogram_clear(struct histogram *histogram)
{
    ASSERT(histogram != NULL);
    memset(histogram, 0, sizeof(*histogram));
    histogram->minimum = UINT64_MAX;
}

void histogram_record(struct histogram *histogram, uint64_t value)
{
    ASSERT(histogram != NULL);
    uint32_t bin = histogram_bin_of(value);
    ASSERT(histogram->bins[bin] < UINT32_MAX);
    histogram->bins[bin]++;
    histogram->count++;
    if (value < histogram->minimum) {
        histogram->minimum = value;
    }
    if (value > histogram->maximum) {
        histogram->maximum = value;
    }
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    ASSERT(into != NULL);
    ASSERT(from != NULL);
    if (from->count == 0) {
        return;
    }
    for (uint32_t bin = 0; bin < HISTOGRAM_BINS; bin++) {
        ASSERT(into->bins[bin] <= UINT32_MAX - from->bins[bin]);
        into->bins[bin] += from->bins[bin];
    }
    into->count += from->count;
    into->minimum = from->minimum < into->minimum ? from->minimum : into->minimum;
    into->maximum = from->maximum > into->maximum ? from->maximum : into->maximum;
}

uint32_t histogram_bin_of(uint64_t value)
{
    if (value < HISTOGRAM_STEPS) {
        return (uint32_t)value;
    }
    uint32_t shift = 63 - (uint32_t)__builtin_clzll(value) - STEP_BITS;
    uint32_t step = (uint32_t)(value >> shift) - HISTOGRAM_STEPS;
    ASSERT(step < HISTOGRAM_STEPS);
    return (shift + 1) * HISTOGRAM_STEPS + step;
}

uint64_t histogram_bin_lo(uint32_t bin)
{
    ASSERT(bin < HISTOGRAM_BINS);
    if (bin < HISTOGRAM_STEPS) {
        return bin;
    }
    uint32_t shift = bin / HISTOGRAM_STEPS - 1;
    return ((uint64_t)HISTOGRAM_STEPS + bin % HISTOGRAM_STEPS) << shift;
}

uint64_t histogram_bin_hi(uint32_t bin)
{
    ASSERT(bin < HISTOGRAM_BINS);
    return bin + 1 == HISTOGRAM_BINS ? UINT64_MAX : histogram_bin_lo(bin + 1);
}

uint64_t histogram_quantile(const struct histogram *histogram, uint32_t per_mille)
{
    ASSERT(histogram != NULL);
    ASSERT(per_mille <= 1000);
    if (histogram->count == 0) {
        return 0;
    }
    /* The smallest rank, counted from 1, that has at least per_mille/1000 of the values at or below
     * it. */
    unsigned __int128 scaled = (unsigned __int128)histogram->count * per_mille + 999;
    uint64_t rank = (uint64_t)(scaled / 1000);
    rank = rank == 0 ? 1 : rank;
    uint32_t bin = 0;
    for (uint64_t seen = histogram->bins[0]; seen < rank; seen += histogram->bins[bin]) {
        bin++;
        ASSERT(bin < HISTOGRAM_BINS);
    }
    uint64_t lo = histogram_bin_lo(bin);
    uint64_t middle = lo + (histogram_bin_hi(bin) - lo) / 2;
    if (middle < histogram->minimum) {
        return histogram->minimum;
    }
    return middle > histogram->maximum ? histogram->maximum : middle;
}
