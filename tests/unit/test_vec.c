/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/base/rng.h"
#include "sim/base/vec.h"
#include "tests/unit/harness.h"

#include <string.h>

struct item {
    uint32_t key;
    uint32_t order;
};

static int compare_keys(const void *left, const void *right)
{
    const struct item *first = left;
    const struct item *second = right;
    return (first->key > second->key) - (first->key < second->key);
}

static int compare_words(const void *left, const void *right)
{
    return strcmp(left, right);
}

TEST(vec, pushes_are_zeroed_and_found_again)
{
    struct vec vec;
    vec_init(&vec, sizeof(struct item), 10000);
    for (uint32_t at = 0; at < 10000; at++) {
        struct item *item = vec_push(&vec);
        CHECK(item->key == 0 && item->order == 0);
        *item = (struct item){at * 3, at};
    }
    CHECK_EQUAL(vec.count, 10000);
    for (uint32_t at = 0; at < 10000; at += 97) {
        CHECK_EQUAL(((struct item *)vec_at(&vec, at))->key, at * 3);
    }
    vec_release(&vec);
    CHECK(vec.items == NULL);
}

TEST(vec, clear_keeps_the_memory_and_zeroes_again)
{
    struct vec vec;
    vec_init(&vec, sizeof(struct item), 100);
    vec_append(&vec, &(struct item){5, 6});
    void *before = vec.items;
    vec_clear(&vec);
    CHECK_EQUAL(vec.count, 0);
    const struct item *again = vec_push(&vec);
    CHECK(vec.items == before);
    CHECK_EQUAL(again->key, 0);
    vec_release(&vec);
}

TEST(vec, pop_returns_the_last_item)
{
    struct vec vec;
    vec_init(&vec, sizeof(struct item), 100);
    vec_append(&vec, &(struct item){1, 2});
    vec_append(&vec, &(struct item){3, 4});
    CHECK_EQUAL(((struct item *)vec_pop(&vec))->key, 3);
    CHECK_EQUAL(((struct item *)vec_pop(&vec))->key, 1);
    CHECK_EQUAL(vec.count, 0);
    vec_release(&vec);
}

TEST(vec, an_item_of_the_vector_may_be_appended_while_it_grows)
{
    struct vec vec;
    vec_init(&vec, sizeof(struct item), 1000);
    vec_append(&vec, &(struct item){7, 7});
    for (int at = 0; at < 500; at++) {
        vec_append(&vec, vec_at(&vec, vec.count - 1));
    }
    CHECK_EQUAL(((struct item *)vec_at(&vec, 500))->key, 7);
    vec_release(&vec);
}

static void push_one(void *user)
{
    vec_push(user);
}

static void pop_one(void *user)
{
    vec_pop(user);
}

static void look_behind_the_end(void *user)
{
    vec_at(user, ((struct vec *)user)->count);
}

TEST(vec, limit_and_bounds_are_assertions)
{
    struct vec vec;
    vec_init(&vec, 4, 3);
    CHECK(unit_aborts(pop_one, &vec, "count > 0"));
    for (int at = 0; at < 3; at++) {
        vec_push(&vec);
    }
    CHECK(unit_aborts(push_one, &vec, "limit"));
    CHECK(unit_aborts(look_behind_the_end, &vec, "index"));
    vec_release(&vec);
}

/* Every length up to 100 covers runs, odd tails and merges of unequal halves. */
TEST(vec, sort_is_sorted_and_stable_for_every_length)
{
    struct rng rng = rng_keyed(1, 1, 1, 1);
    struct vec vec;
    vec_init(&vec, sizeof(struct item), 5000);
    for (uint32_t length = 0; length <= 1000; length += length < 100 ? 1 : 179) {
        vec_clear(&vec);
        for (uint32_t at = 0; at < length; at++) {
            vec_append(&vec, &(struct item){(uint32_t)rng_below(&rng, 10), at});
        }
        vec_sort(&vec, compare_keys);
        CHECK_EQUAL(vec.count, length);
        bool is_sorted = true;
        uint64_t sum = 0;
        for (uint32_t at = 0; at < length; at++) {
            const struct item *item = vec_at(&vec, at);
            const struct item *before = at > 0 ? item - 1 : NULL;
            sum += item->order;
            is_sorted = is_sorted && (before == NULL || before->key < item->key ||
                                      (before->key == item->key && before->order < item->order));
        }
        CHECK(is_sorted);
        CHECK_EQUAL(sum, (uint64_t)length * (length == 0 ? 0 : length - 1) / 2);
    }
    vec_release(&vec);
}

TEST(vec, sorting_bare_arrays_of_odd_sizes_works)
{
    char words[5][3] = {"zz", "ab", "mm", "aa", "zy"};
    sort_stable(words, 5, 3, compare_words);
    CHECK_TEXT(words[0], "aa");
    CHECK_TEXT(words[1], "ab");
    CHECK_TEXT(words[4], "zz");
    sort_stable(NULL, 0, 8, compare_keys);
}
