/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/histogram.h"
#include "sim/base/rng.h"
#include "sim/base/vec.h"
#include "tests/unit/harness.h"

#include <string.h>

static struct histogram first;
static struct histogram second;
static struct histogram both;

TEST(histogram, bins_tile_the_whole_range)
{
    CHECK_EQUAL(histogram_bin_lo(0), 0);
    for (uint32_t bin = 0; bin + 1 < HISTOGRAM_BINS; bin++) {
        uint64_t lo = histogram_bin_lo(bin);
        uint64_t hi = histogram_bin_hi(bin);
        CHECK(lo < hi);
        CHECK(hi == histogram_bin_lo(bin + 1));
        CHECK_EQUAL(histogram_bin_of(lo), bin);
        CHECK_EQUAL(histogram_bin_of(hi - 1), bin);
        CHECK_EQUAL(histogram_bin_of(hi), bin + 1);
        CHECK(lo < 64 || (hi - lo) * 64 <= lo);
    }
    CHECK_EQUAL(histogram_bin_of(UINT64_MAX), HISTOGRAM_BINS - 1);
    CHECK(histogram_bin_hi(HISTOGRAM_BINS - 1) == UINT64_MAX);
}

/* By brute force: every small value, and the neighbours of every power of two. */
TEST(histogram, every_value_lies_in_its_bin)
{
    for (uint64_t value = 0; value < 300000; value++) {
        uint32_t bin = histogram_bin_of(value);
        if (value < histogram_bin_lo(bin) || value >= histogram_bin_hi(bin)) {
            CHECK_EQUAL(value, bin);
        }
    }
    for (int shift = 6; shift < 64; shift++) {
        for (uint64_t offset = 0; offset < 3; offset++) {
            uint64_t value = (UINT64_C(1) << shift) + offset - 1;
            uint32_t bin = histogram_bin_of(value);
            CHECK(value >= histogram_bin_lo(bin));
            CHECK(value < histogram_bin_hi(bin));
        }
    }
}

TEST(histogram, an_empty_one_has_no_quantiles)
{
    histogram_clear(&first);
    CHECK_EQUAL(histogram_quantile(&first, 500), 0);
    CHECK(first.minimum == UINT64_MAX);
    CHECK_EQUAL(first.count, 0);
}

TEST(histogram, one_value_is_every_quantile)
{
    histogram_clear(&first);
    histogram_record(&first, 123456789);
    for (uint32_t per_mille = 0; per_mille <= 1000; per_mille += 50) {
        CHECK_EQUAL(histogram_quantile(&first, per_mille), 123456789);
    }
}

static int compare_values(const void *left, const void *right)
{
    const uint64_t *a = left;
    const uint64_t *b = right;
    return (*a > *b) - (*a < *b);
}

TEST(histogram, quantiles_are_those_of_the_sorted_values_within_a_bin)
{
    static uint64_t values[20000];
    struct rng rng = rng_keyed(3, 3, 3, 3);
    histogram_clear(&first);
    for (uint32_t at = 0; at < 20000; at++) {
        values[at] = rng_u64(&rng) >> rng_below(&rng, 64);
        histogram_record(&first, values[at]);
    }
    sort_stable(values, 20000, sizeof(values[0]), compare_values);
    uint64_t last = 0;
    for (uint32_t per_mille = 0; per_mille <= 1000; per_mille++) {
        uint64_t rank = per_mille == 0 ? 1 : (UINT64_C(20000) * per_mille + 999) / 1000;
        uint64_t quantile = histogram_quantile(&first, per_mille);
        CHECK_EQUAL(histogram_bin_of(quantile), histogram_bin_of(values[rank - 1]));
        CHECK(quantile >= last);
        CHECK(quantile >= first.minimum);
        CHECK(quantile <= first.maximum);
        last = quantile;
    }
    CHECK(first.minimum == values[0]);
    CHECK(first.maximum == values[19999]);
}

TEST(histogram, small_counts_have_exact_medians)
{
    histogram_clear(&first);
    for (uint64_t value = 1; value <= 9; value++) {
        histogram_record(&first, value);
    }
    CHECK_EQUAL(histogram_quantile(&first, 500), 5);
    CHECK_EQUAL(histogram_quantile(&first, 0), 1);
    CHECK_EQUAL(histogram_quantile(&first, 1000), 9);
    CHECK_EQUAL(histogram_quantile(&first, 111), 1);
    CHECK_EQUAL(histogram_quantile(&first, 112), 2);
}

TEST(histogram, a_merged_one_equals_one_that_recorded_everything)
{
    struct rng rng = rng_keyed(4, 4, 4, 4);
    histogram_clear(&first);
    histogram_clear(&second);
    histogram_clear(&both);
    for (uint32_t at = 0; at < 5000; at++) {
        uint64_t value = rng_u64(&rng) >> rng_below(&rng, 60);
        histogram_record(at % 3 == 0 ? &first : &second, value);
        histogram_record(&both, value);
    }
    histogram_merge(&first, &second);
    CHECK(memcmp(&first, &both, sizeof(both)) == 0);
    histogram_clear(&second);
    histogram_merge(&first, &second);
    CHECK(memcmp(&first, &both, sizeof(both)) == 0);
    histogram_merge(&second, &both);
    CHECK(memcmp(&second, &both, sizeof(both)) == 0);
}
