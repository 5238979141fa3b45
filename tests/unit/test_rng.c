/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Streams: the published sequence of the generator, the golden start of a stream, uniformity. The
 * bounds of the chi-square tests are six standard deviations above the mean; the seeds are fixed,
 * so the results are too. */
#include "sim/base/hash.h"
#include "sim/base/rng.h"
#include "tests/unit/harness.h"

#include <string.h>

/* The first draws from the state 1, 2, 3, 4 as the authors' C program gives them. */
TEST(rng, the_generator_is_xoshiro256_starstar)
{
    struct rng rng = {{1, 2, 3, 4}};
    const uint64_t expected[] = {11520, 0, 1509978240, UINT64_C(1215971899390074240),
                                 UINT64_C(1216172134540287360)};
    for (int at = 0; at < 5; at++) {
        uint64_t draw = rng_u64(&rng);
        CHECK(draw == expected[at]);
    }
}

/* Golden: when this changes, every recorded run of every user changes. */
TEST(rng, a_keyed_stream_begins_as_it_always_did)
{
    struct rng rng = rng_keyed(1, 2, 3, 4);
    const uint64_t expected[] = {UINT64_C(0xddd11a6deb21bb03), UINT64_C(0x1ee5e61a2002c389),
                                 UINT64_C(0x0ef07053b9867ca2), UINT64_C(0x44b2d33fc07a9cf2)};
    for (int at = 0; at < 4; at++) {
        uint64_t draw = rng_u64(&rng);
        CHECK(draw == expected[at]);
    }
}

TEST(rng, a_named_stream_is_the_stream_of_its_hashed_name)
{
    struct rng named = rng_stream(42, "net n1>n2", 3, "delay");
    struct rng keyed = rng_keyed(42, hash_text("net n1>n2"), 3, hash_text("delay"));
    CHECK(memcmp(&named, &keyed, sizeof(named)) == 0);
}

TEST(rng, every_part_of_the_name_matters)
{
    struct rng streams[] = {
        rng_stream(42, "net n1>n2", 0, "delay"), rng_stream(43, "net n1>n2", 0, "delay"),
        rng_stream(42, "net n2>n1", 0, "delay"), rng_stream(42, "net n1>n2", 1, "delay"),
        rng_stream(42, "net n1>n2", 0, "loss"),  rng_stream(42, "delay", 0, "net n1>n2"),
    };
    for (size_t left = 0; left < 6; left++) {
        for (size_t right = left + 1; right < 6; right++) {
            for (int word = 0; word < 4; word++) {
                CHECK(streams[left].state[word] != streams[right].state[word]);
            }
        }
    }
}

/* Neighbouring seeds and entities must not give related streams. */
TEST(rng, streams_of_neighbouring_names_are_not_related)
{
    uint64_t bits = 0;
    for (uint64_t seed = 0; seed < 1000; seed++) {
        struct rng left = rng_keyed(seed, 0, 0, 0);
        struct rng right = rng_keyed(seed + 1, 0, 0, 0);
        uint64_t left_draw = rng_u64(&left);
        uint64_t right_draw = rng_u64(&right);
        bits += (uint64_t)__builtin_popcountll(left_draw ^ right_draw);
    }
    /* 64000 coins: 32000 with a standard deviation of 126. */
    CHECK(bits > 32000 - 760);
    CHECK(bits < 32000 + 760);
}

TEST(rng, below_stays_below_and_reaches_everything)
{
    struct rng rng = rng_keyed(5, 0, 0, 0);
    for (uint64_t bound = 1; bound < 70; bound++) {
        uint64_t highest = 0;
        uint64_t lowest = bound;
        for (int draw = 0; draw < 1000; draw++) {
            uint64_t value = rng_below(&rng, bound);
            CHECK(value < bound);
            highest = value > highest ? value : highest;
            lowest = value < lowest ? value : lowest;
        }
        CHECK_EQUAL(lowest, 0);
        CHECK_EQUAL(highest, bound - 1);
    }
    CHECK_EQUAL(rng_below(&rng, 1), 0);
    uint64_t large = rng_below(&rng, UINT64_MAX);
    CHECK(large < UINT64_MAX);
}

TEST(rng, below_passes_a_chi_square_test)
{
    enum { BINS = 97, DRAWS = 970000 };
    uint32_t counts[BINS] = {0};
    struct rng rng = rng_keyed(6, 0, 0, 0);
    for (int draw = 0; draw < DRAWS; draw++) {
        counts[rng_below(&rng, BINS)]++;
    }
    double chi_square = 0;
    for (int bin = 0; bin < BINS; bin++) {
        double difference = counts[bin] - (double)DRAWS / BINS;
        chi_square += difference * difference / ((double)DRAWS / BINS);
    }
    CHECK(chi_square > 96 - 6 * 13.9);
    CHECK(chi_square < 96 + 6 * 13.9);
}

/* With a bound of 3/4 of 2^64 a biased method gives every third value twice the weight. */
TEST(rng, below_is_unbiased_for_huge_bounds)
{
    struct rng rng = rng_keyed(8, 0, 0, 0);
    uint64_t bound = UINT64_C(3) << 62;
    uint32_t counts[3] = {0};
    for (int draw = 0; draw < 300000; draw++) {
        uint64_t value = rng_below(&rng, bound);
        counts[value % 3]++;
    }
    for (int part = 0; part < 3; part++) {
        CHECK(counts[part] > 100000 - 1550);
        CHECK(counts[part] < 100000 + 1550);
    }
}

TEST(rng, chance_is_never_at_zero_and_always_at_one_and_draws_once)
{
    struct rng rng = rng_keyed(7, 0, 0, 0);
    struct rng twin = rng;
    uint32_t hits = 0;
    for (int draw = 0; draw < 100000; draw++) {
        bool never = rng_chance(&rng, 0);
        bool always = rng_chance(&rng, RNG_ALWAYS);
        hits += rng_chance(&rng, RNG_ALWAYS / 4) ? 1 : 0;
        CHECK(!never);
        CHECK(always);
        for (int skip = 0; skip < 3; skip++) {
            (void)rng_u64(&twin);
        }
    }
    CHECK(memcmp(&rng, &twin, sizeof(rng)) == 0);
    CHECK(hits > 25000 - 822);
    CHECK(hits < 25000 + 822);
}

TEST(rng, the_counted_draw_is_a_function_of_key_and_ordinal)
{
    CHECK(rng_at(42, 0) == UINT64_C(0x989b3f130a063869));
    CHECK(rng_at(42, 1) == UINT64_C(0x290db4bf2570ded7));
    CHECK(rng_at(42, UINT64_C(1) << 63) == UINT64_C(0x4f8872b96952827e));
    CHECK(rng_at(42, 1) != rng_at(43, 0));
    uint64_t bits = 0;
    for (uint64_t ordinal = 0; ordinal < 1000; ordinal++) {
        bits += (uint64_t)__builtin_popcountll(rng_at(1, ordinal) ^ rng_at(1, ordinal + 1));
    }
    CHECK(bits > 32000 - 760);
    CHECK(bits < 32000 + 760);
}
