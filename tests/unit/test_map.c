/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The map is compared with a plain array that does the same slowly. */
#include "sim/base/map.h"
#include "sim/base/rng.h"
#include "tests/unit/harness.h"

#define KEY_COUNT 300

TEST(map, an_empty_map_finds_and_removes_nothing)
{
    struct map map;
    map_init(&map);
    uint32_t at = 0;
    CHECK(map_find(&map, 0) == NULL);
    CHECK(!map_remove(&map, 0));
    CHECK(map_next(&map, &at) == NULL);
    map_release(&map);
}

TEST(map, put_replaces_and_find_allows_change)
{
    struct map map;
    map_init(&map);
    map_put(&map, 0, 10);
    map_put(&map, UINT64_MAX, 11);
    map_put(&map, 0, 12);
    CHECK_EQUAL(map.count, 2);
    REQUIRE(map_find(&map, 0) != NULL);
    CHECK_EQUAL(*map_find(&map, 0), 12);
    *map_find(&map, UINT64_MAX) = 99;
    CHECK_EQUAL(*map_find(&map, UINT64_MAX), 99);
    map_release(&map);
}

TEST(map, iteration_is_in_order_of_insertion_after_removals_too)
{
    struct map map;
    map_init(&map);
    for (uint64_t key = 0; key < 1000; key++) {
        map_put(&map, key * UINT64_C(0x9e3779b97f4a7c15), key);
    }
    for (uint64_t key = 0; key < 1000; key++) {
        if (key % 3 != 1) {
            CHECK(map_remove(&map, key * UINT64_C(0x9e3779b97f4a7c15)));
        }
    }
    for (uint64_t key = 1000; key < 1900; key++) {
        map_put(&map, key, key);
    }
    uint64_t last = 0;
    uint32_t seen = 0;
    const struct map_entry *entry;
    for (uint32_t at = 0; (entry = map_next(&map, &at)) != NULL; seen++) {
        CHECK(entry->used);
        CHECK(entry->value > last || seen == 0);
        last = entry->value;
    }
    CHECK_EQUAL(seen, 333 + 900);
    CHECK_EQUAL(map.count, seen);
    map_release(&map);
}

/* Queue-like use must not grow without end. */
TEST(map, removed_entries_are_squeezed_out)
{
    struct map map;
    map_init(&map);
    for (uint64_t key = 0; key < 100000; key++) {
        map_put(&map, key, key);
        if (key >= 10) {
            CHECK(map_remove(&map, key - 10));
        }
    }
    CHECK_EQUAL(map.count, 10);
    CHECK(map.entry_capacity <= 64);
    map_release(&map);
}

TEST(map, clear_forgets_everything_and_the_map_goes_on)
{
    struct map map;
    map_init(&map);
    map_clear(&map);
    for (uint64_t key = 0; key < 100; key++) {
        map_put(&map, key, key);
    }
    map_clear(&map);
    CHECK_EQUAL(map.count, 0);
    CHECK(map_find(&map, 5) == NULL);
    map_put(&map, 5, 6);
    CHECK_EQUAL(*map_find(&map, 5), 6);
    map_release(&map);
}

static bool agrees(const struct map *map, const uint64_t *values, const bool *present)
{
    for (uint64_t key = 0; key < KEY_COUNT; key++) {
        const uint64_t *found = map_find(map, key << 32);
        if ((found != NULL) != present[key] || (found != NULL && *found != values[key])) {
            return false;
        }
    }
    return true;
}

TEST(map, a_random_walk_agrees_with_a_plain_array)
{
    struct map map;
    map_init(&map);
    uint64_t values[KEY_COUNT] = {0};
    bool present[KEY_COUNT] = {false};
    struct rng rng = rng_keyed(7, 7, 7, 7);
    for (uint32_t step = 0; step < 60000; step++) {
        uint64_t key = rng_below(&rng, KEY_COUNT);
        /* Phases of growth and of decay. */
        bool is_put = rng_below(&rng, 100) < (step / 5000 % 2 == 0 ? 70u : 30u);
        if (is_put) {
            map_put(&map, key << 32, step);
            values[key] = step;
            present[key] = true;
        } else {
            bool was_there = map_remove(&map, key << 32);
            CHECK_EQUAL(was_there, present[key]);
            present[key] = false;
        }
        if (step % 500 == 0) {
            CHECK(agrees(&map, values, present));
        }
    }
    map_release(&map);
}
