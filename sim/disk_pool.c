/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Pages are cut from slabs of sixteen (short ones of as many as fit into as much memory); blocks
 * come from the arena one at a time. What is given back goes to the front of a free list: the page
 * that a truncation has just dropped is the next one handed out, while it is still in the
 * processor's cache. Nothing here is ever returned to the system before the disk itself is freed,
 * and no decision of a run depends on an address. */
#include "sim/disk_pool.h"

#include "sim/base/base.h"

#include <stdbool.h>
#include <string.h>

#define SLAB_PAGES      16
#define LINE_BYTES      64
#define BLOCK_ORDER_MIN 6
/* What there is of a short page. */
#define SHORT_PAGE_BYTES (LINE_BYTES + DISK_SHORT_BYTES)

static_assert(offsetof(struct disk_page, data) == LINE_BYTES, "data follows a head of one line");
static_assert(sizeof(struct disk_page) % LINE_BYTES == 0, "pages of a slab stay aligned");
static_assert(SHORT_PAGE_BYTES % LINE_BYTES == 0, "so do short ones");

void disk_pool_init(struct disk_pool *pool)
{
    ASSERT(pool != NULL);
    *pool = (struct disk_pool){0};
    arena_init(&pool->arena);
}

void disk_pool_release(struct disk_pool *pool)
{
    ASSERT(pool != NULL);
    arena_release(&pool->arena);
    *pool = (struct disk_pool){0};
}

static void add_slab(struct disk_pool *pool, bool is_short)
{
    size_t bytes = SLAB_PAGES * sizeof(struct disk_page);
    size_t page_bytes = is_short ? SHORT_PAGE_BYTES : sizeof(struct disk_page);
    uint8_t *memory = arena_alloc(&pool->arena, bytes + LINE_BYTES);
    memory += (LINE_BYTES - (uintptr_t)memory % LINE_BYTES) % LINE_BYTES;
    for (size_t at = bytes / page_bytes; at > 0; at--) {
        struct disk_page *page = (struct disk_page *)(void *)(memory + (at - 1) * page_bytes);
        page->is_short = is_short;
        disk_pool_page_free(pool, page);
    }
}

static struct disk_page *take_page(struct disk_pool *pool, struct disk_page **list, bool is_short)
{
    ASSERT(pool != NULL);
    if (*list == NULL) {
        add_slab(pool, is_short);
    }
    struct disk_page *page = *list;
    *list = page->next;
    page->next = NULL;
    page->epoch = 0;
    return page;
}

struct disk_page *disk_pool_page(struct disk_pool *pool)
{
    return take_page(pool, &pool->free_pages, false);
}

struct disk_page *disk_pool_page_short(struct disk_pool *pool)
{
    return take_page(pool, &pool->free_short, true);
}

void disk_pool_page_free(struct disk_pool *pool, struct disk_page *page)
{
    ASSERT(pool != NULL);
    ASSERT(page != NULL);
    struct disk_page **list = page->is_short ? &pool->free_short : &pool->free_pages;
    page->next = *list;
    *list = page;
}

static unsigned order_of(size_t size_bytes)
{
    unsigned order = BLOCK_ORDER_MIN;
    while (((size_t)1 << order) < size_bytes) {
        order++;
        ASSERT(order < DISK_BLOCK_ORDERS);
    }
    return order;
}

void disk_pool_reserve(struct disk_pool *pool, struct disk_block *block, size_t kept_bytes,
                       size_t size_bytes)
{
    ASSERT(kept_bytes <= block->capacity);
    ASSERT(kept_bytes <= size_bytes);
    if (block->capacity >= size_bytes) {
        return;
    }
    unsigned order = order_of(size_bytes);
    struct disk_block grown = {pool->free_blocks[order], (size_t)1 << order};
    if (grown.data != NULL) {
        memcpy(&pool->free_blocks[order], grown.data, sizeof(void *));
    } else {
        grown.data = arena_alloc(&pool->arena, grown.capacity);
    }
    if (kept_bytes > 0) {
        memcpy(grown.data, block->data, kept_bytes);
    }
    disk_pool_block_free(pool, block);
    *block = grown;
}

void disk_pool_block_free(struct disk_pool *pool, struct disk_block *block)
{
    ASSERT(pool != NULL);
    ASSERT(block != NULL);
    if (block->data != NULL) {
        unsigned order = order_of(block->capacity);
        ASSERT(block->capacity == (size_t)1 << order);
        memcpy(block->data, &pool->free_blocks[order], sizeof(void *));
        pool->free_blocks[order] = block->data;
    }
    *block = (struct disk_block){0};
}
