/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/arena.h"
#include "sim/base/base.h"
#include "sim/base/rng.h"
#include "tests/unit/harness.h"

#include <string.h>

static bool is_zero(const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t at = 0; at < size; at++) {
        if (bytes[at] != 0) {
            return false;
        }
    }
    return true;
}

TEST(arena, memory_is_zeroed_and_aligned_also_after_a_reset)
{
    struct arena arena;
    arena_init(&arena);
    for (int round = 0; round < 3; round++) {
        for (size_t size = 0; size < 400; size += 7) {
            void *memory = arena_alloc(&arena, size);
            CHECK(memory != NULL);
            CHECK_EQUAL((uintptr_t)memory % 16, 0);
            CHECK(is_zero(memory, size));
            memset(memory, 0xab, size);
        }
        arena_reset(&arena);
        CHECK_EQUAL(arena.used_bytes, 0);
    }
    arena_release(&arena);
}

TEST(arena, allocations_do_not_overlap)
{
    struct arena arena;
    arena_init(&arena);
    struct rng rng = rng_keyed(1, 2, 3, 4);
    unsigned char *blocks[500];
    size_t sizes[500];
    for (uint32_t at = 0; at < 500; at++) {
        sizes[at] = rng_below(&rng, at % 50 == 0 ? 200000 : 600);
        blocks[at] = arena_alloc(&arena, sizes[at]);
        memset(blocks[at], (int)(at & 255), sizes[at]);
    }
    for (uint32_t at = 0; at < 500; at++) {
        for (size_t byte = 0; byte < sizes[at]; byte++) {
            if (blocks[at][byte] != (at & 255)) {
                CHECK_EQUAL(blocks[at][byte], at & 255);
                break;
            }
        }
    }
    arena_release(&arena);
    CHECK(arena.first == NULL);
}

TEST(arena, the_second_round_gets_the_same_places)
{
    struct arena arena;
    arena_init(&arena);
    void *places[2][200];
    for (int round = 0; round < 2; round++) {
        struct rng rng = rng_keyed(9, 9, 9, 9);
        for (int at = 0; at < 200; at++) {
            places[round][at] = arena_alloc(&arena, rng_below(&rng, 30000));
        }
        arena_reset(&arena);
    }
    CHECK(memcmp(places[0], places[1], sizeof(places[0])) == 0);
    arena_release(&arena);
}

TEST(arena, nothing_is_given_a_place_of_its_own)
{
    struct arena arena;
    arena_init(&arena);
    CHECK(arena_alloc(&arena, 0) != arena_alloc(&arena, 0));
    arena_release(&arena);
}

TEST(arena, large_blocks_get_a_chunk_that_fits)
{
    struct arena arena;
    arena_init(&arena);
    char *large = arena_alloc(&arena, (size_t)20 << 20);
    large[((size_t)20 << 20) - 1] = 'x';
    CHECK_EQUAL(arena.used_bytes, (size_t)20 << 20);
    char *small = arena_alloc(&arena, 1);
    CHECK(small < large || small >= large + ((size_t)20 << 20));
    arena_release(&arena);
}

/* After a reset the next chunk in line may be too small for what comes. */
TEST(arena, a_chunk_that_is_too_small_is_passed_over_and_kept)
{
    struct arena arena;
    arena_init(&arena);
    arena_alloc(&arena, 60000);
    char *second = arena_alloc(&arena, 60000);
    arena_reset(&arena);
    arena_alloc(&arena, 60000);
    char *large = arena_alloc(&arena, 1000000);
    memset(large, 'x', 1000000);
    CHECK(large + 1000000 <= second || second + 60000 <= large);
    CHECK(arena.current != arena.first);
    arena_release(&arena);
}

TEST(arena, copies_are_equal_and_separate)
{
    struct arena arena;
    arena_init(&arena);
    char word[] = "replica";
    char *copy = arena_strdup(&arena, word);
    char *part = arena_strndup(&arena, word, 3);
    char *whole = arena_strndup(&arena, word, 100);
    uint64_t *number = arena_memdup(&arena, &(uint64_t){77}, sizeof(uint64_t));
    word[0] = 'X';
    CHECK_TEXT(copy, "replica");
    CHECK_TEXT(part, "rep");
    CHECK_TEXT(whole, "replica");
    CHECK_EQUAL(*number, 77);
    CHECK(arena_memdup(&arena, NULL, 0) != NULL);
    CHECK_TEXT(arena_printf(&arena, "%s-%d", copy, 5), "replica-5");
    CHECK_EQUAL(strlen(arena_printf(&arena, "%5000d", 1)), 5000);
    arena_release(&arena);
}

static void overflow_an_array(void *user)
{
    arena_alloc_array(user, SIZE_MAX / 4, 8);
}

TEST(arena, an_array_whose_size_overflows_is_an_assertion)
{
    struct arena arena;
    arena_init(&arena);
    uint32_t *array = arena_alloc_array(&arena, 100, sizeof(uint32_t));
    CHECK(is_zero(array, 400));
    CHECK(unit_aborts(overflow_an_array, &arena, "assertion failed"));
    arena_release(&arena);
}
