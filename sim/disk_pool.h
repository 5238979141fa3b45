/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Memory of one simulated disk: pages of 4 KiB and blocks of a power of two, both given back to
 * free lists and taken from there again. The system is asked only when a run needs more than any
 * run before. A page that holds nothing but zeros behind its first bytes can be short: only those
 * bytes are kept, so a file of a million nearly empty pages fits into memory. */
#ifndef SQUALL_SIM_DISK_POOL_H
#define SQUALL_SIM_DISK_POOL_H

#include "sim/base/arena.h"

#include <stddef.h>
#include <stdint.h>

#define DISK_PAGE_BYTES   4096
#define DISK_SHORT_BYTES  128
#define DISK_BLOCK_ORDERS 40

/* A page of a file. The data starts on a cache line. */
struct disk_page {
    struct disk_page *next; /* in the free list */
    uint64_t epoch;         /* in the page cache when equal to that of the disk */
    uint64_t is_short;      /* there are only DISK_SHORT_BYTES of data; the rest is zeros */
    uint64_t reserved[5];
    uint8_t data[DISK_PAGE_BYTES];
};

/* A growable run of bytes, aligned to 16; all zero = empty. */
struct disk_block {
    void *data;
    size_t capacity; /* bytes, 0 or a power of two */
};

struct disk_pool {
    struct arena arena;
    struct disk_page *free_pages;
    struct disk_page *free_short;
    void *free_blocks[DISK_BLOCK_ORDERS]; /* by the logarithm of the size; the first word links */
};

void disk_pool_init(struct disk_pool *pool);
void disk_pool_release(struct disk_pool *pool);
/* A page with undefined content and epoch 0. */
struct disk_page *disk_pool_page(struct disk_pool *pool);
/* The same, a short one. */
struct disk_page *disk_pool_page_short(struct disk_pool *pool);
void disk_pool_page_free(struct disk_pool *pool, struct disk_page *page);
/* Makes the capacity at least `size_bytes` and keeps the first `kept_bytes` of the content; the
 * rest is undefined. */
void disk_pool_reserve(struct disk_pool *pool, struct disk_block *block, size_t kept_bytes,
                       size_t size_bytes);
/* Gives the memory back; the block is empty afterwards. */
void disk_pool_block_free(struct disk_pool *pool, struct disk_block *block);

#endif
