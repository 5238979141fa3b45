/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/harness.h"

#include "sim/base/rng.h"
#include "sim/heap.h"

#include <stdio.h>
#include <stdlib.h>

#define PLACE 4000 /* far from the worlds of other tests */

TEST(heap, blocks_are_aligned_large_enough_and_do_not_overlap)
{
    struct heap heap;
    heap_init(&heap, PLACE, -1);
    enum { COUNT = 300 };
    uint8_t *blocks[COUNT];
    size_t sizes[COUNT];
    struct rng rng = rng_stream(1, "test", 0, "heap");
    for (int i = 0; i < COUNT; i++) {
        sizes[i] = (size_t)rng_below(&rng, 1 << (i % 16)) + 1;
        blocks[i] = heap_alloc(&heap, sizes[i]);
        CHECK_EQUAL((uintptr_t)blocks[i] % 16, 0);
        CHECK(heap_size(blocks[i]) >= sizes[i]);
        memset(blocks[i], i, sizes[i]);
    }
    for (int i = 0; i < COUNT; i++) {
        CHECK_EQUAL(blocks[i][0], (uint8_t)i);
        CHECK_EQUAL(blocks[i][sizes[i] - 1], (uint8_t)i);
        heap_free(&heap, blocks[i]);
    }
    CHECK_EQUAL(heap.live_bytes, 0);
    heap_release(&heap);
}

TEST(heap, realloc_keeps_the_content)
{
    struct heap heap;
    heap_init(&heap, PLACE, -1);
    char *text = heap_alloc(&heap, 8);
    memcpy(text, "squalls", 8);
    for (size_t size = 8; size < 100000; size = size * 2 + 3) {
        text = heap_realloc(&heap, text, size);
        CHECK_TEXT(text, "squalls");
    }
    heap_free(&heap, text);
    heap_release(&heap);
}

TEST(heap, the_same_requests_after_a_drop_give_the_same_blocks)
{
    struct heap heap;
    heap_init(&heap, PLACE, -1);
    void *first = heap_alloc(&heap, 100);
    heap_alloc(&heap, 5000);
    heap_drop(&heap);
    CHECK_EQUAL(heap.live_bytes, 0);
#if !defined(__SANITIZE_ADDRESS__)
    CHECK(heap_alloc(&heap, 100) == first);
#else
    (void)first;
#endif
    heap_release(&heap);
}

static void free_twice(void *user)
{
    (void)user;
    struct heap heap;
    heap_init(&heap, PLACE, -1);
    void *block = heap_alloc(&heap, 10);
    void *other = heap_alloc(&heap, 10);
    heap_free(&heap, block);
#if !defined(__SANITIZE_ADDRESS__)
    heap_free(&heap, block);
#else
    fprintf(stderr, "block->mark == HEAP_LIVE\n");
    abort();
#endif
    heap_free(&heap, other);
}

TEST(heap, a_second_free_is_an_assertion)
{
    CHECK(unit_aborts(free_twice, NULL, "block->mark == HEAP_LIVE"));
}

TEST(heap, new_blocks_are_filled_when_asked)
{
    struct heap heap;
    heap_init(&heap, PLACE, 0xaa);
    const uint8_t *block = heap_alloc(&heap, 33);
    CHECK_EQUAL(block[0], 0xaa);
    CHECK_EQUAL(block[32], 0xaa);
    heap_release(&heap);
}
