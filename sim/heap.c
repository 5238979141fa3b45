/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Size classes with free lists over a bump pointer: four classes to each power of two, so at most
 * a quarter of a block is wasted, and a crash costs one memset of the list heads. Blocks carry a
 * 16-byte header with their class and a mark that tells live from free. Nothing is given back to
 * the system before the heap is released, except that a drop returns what is far above the usual
 * use. */
#include "sim/heap.h"

#include "sim/base/base.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HEAP_ORIGIN     UINT64_C(0x100000000000)
#define HEAP_KEEP_BYTES ((size_t)64 << 20)
#define HEAP_LIVE       0x4c495645u
#define HEAP_FREE       0x46524545u

struct heap_block {
    uint32_t mark;
    uint32_t class;
    uint64_t size; /* usable bytes */
    /* A free block's payload starts with the next free block. Under AddressSanitizer two links
     * come before the header. */
};

static_assert(sizeof(struct heap_block) == 16, "payload must be aligned to 16");

static struct heap_block *block_of(const void *pointer)
{
    return (struct heap_block *)((char *)(uintptr_t)pointer - sizeof(struct heap_block));
}

size_t heap_size(const void *pointer)
{
    ASSERT(block_of(pointer)->mark == HEAP_LIVE);
    return (size_t)block_of(pointer)->size;
}

#if defined(__SANITIZE_ADDRESS__)
#define HEAP_PLAIN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HEAP_PLAIN 1
#endif
#endif
#ifndef HEAP_PLAIN
#define HEAP_PLAIN 0
#endif

#if HEAP_PLAIN

struct heap_links {
    struct heap_block *previous;
    struct heap_block *next;
};

static struct heap_links *links_of(struct heap_block *block)
{
    return (struct heap_links *)(void *)((char *)block - sizeof(struct heap_links));
}

void heap_init(struct heap *heap, uint32_t place, int fill)
{
    (void)place;
    memset(heap, 0, sizeof(*heap));
    heap->fill = fill;
}

void heap_drop(struct heap *heap)
{
    while (heap->blocks != NULL) {
        heap_free(heap, heap->blocks + 1);
    }
    ASSERT(heap->live_bytes == 0);
}

void heap_release(struct heap *heap)
{
    heap_drop(heap);
}

void *heap_alloc(struct heap *heap, size_t size)
{
    char *raw = malloc(sizeof(struct heap_links) + sizeof(struct heap_block) + size);
    ASSERT(raw != NULL);
    struct heap_block *block = (struct heap_block *)(void *)(raw + sizeof(struct heap_links));
    *block = (struct heap_block){HEAP_LIVE, 0, size};
    *links_of(block) = (struct heap_links){NULL, heap->blocks};
    if (heap->blocks != NULL) {
        links_of(heap->blocks)->previous = block;
    }
    heap->blocks = block;
    heap->live_bytes += size;
    if (heap->fill >= 0) {
        memset(block + 1, heap->fill, size);
    }
    return block + 1;
}

void heap_free(struct heap *heap, void *pointer)
{
    if (pointer == NULL) {
        return;
    }
    struct heap_block *block = block_of(pointer);
    ASSERT(block->mark == HEAP_LIVE);
    struct heap_links *links = links_of(block);
    if (links->next != NULL) {
        links_of(links->next)->previous = links->previous;
    }
    if (links->previous != NULL) {
        links_of(links->previous)->next = links->next;
    } else {
        ASSERT(heap->blocks == block);
        heap->blocks = links->next;
    }
    heap->live_bytes -= block->size;
    block->mark = HEAP_FREE;
    free(links);
}

#else

/* Class c holds blocks of (4 + c % 4) << (c / 4 + 2) bytes: 16, 20, 24, 28, 32, 40, ... rounded up
 * to 16. */
static size_t class_bytes(uint32_t class)
{
    size_t bytes = (size_t)(4 + class % 4) << (class / 4 + 2);
    return (bytes + 15) & ~(size_t)15;
}

static uint32_t class_of(size_t size)
{
    if (size <= 16) {
        return 0;
    }
    uint32_t log =
        63 - (uint32_t)__builtin_clzll((unsigned long long)(size - 1)); /* 2^log <= size - 1 */
    uint32_t step = (uint32_t)((size - 1) >> (log - 2)) & 3;
    uint32_t class = (log - 4) * 4 + step + 1;
    ASSERT(class < HEAP_CLASSES);
    return class;
}

void heap_init(struct heap *heap, uint32_t place, int fill)
{
    ASSERT(place < 4096);
    memset(heap, 0, sizeof(*heap));
    heap->fill = fill;
    uint64_t wanted = HEAP_ORIGIN + place * HEAP_NODE_BYTES;
    void *base = mmap((void *)(uintptr_t)wanted, HEAP_NODE_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (base == MAP_FAILED || (uintptr_t)base != wanted) {
        fprintf(stderr, "squall: cannot reserve %llu GiB of address space for a node's heap\n",
                (unsigned long long)(HEAP_NODE_BYTES >> 30));
        abort();
    }
    heap->base = base;
    heap->reserved = HEAP_NODE_BYTES;
}

void heap_release(struct heap *heap)
{
    if (heap->base != NULL) {
        munmap(heap->base, heap->reserved);
    }
    heap->base = NULL;
}

void heap_drop(struct heap *heap)
{
    if (heap->touched > HEAP_KEEP_BYTES) {
        madvise(heap->base + HEAP_KEEP_BYTES, heap->touched - HEAP_KEEP_BYTES, MADV_DONTNEED);
        heap->touched = HEAP_KEEP_BYTES;
    }
    heap->used = 0;
    heap->live_bytes = 0;
    memset(heap->free, 0, sizeof(heap->free));
}

void *heap_alloc(struct heap *heap, size_t size)
{
    uint32_t class = class_of(size);
    size_t bytes = class_bytes(class);
    ASSERT(bytes >= size);
    struct heap_block *block = heap->free[class];
    if (block != NULL) {
        ASSERT(block->mark == HEAP_FREE);
        heap->free[class] = *(struct heap_block **)(void *)(block + 1);
    } else {
        ASSERT(heap->used + bytes + sizeof(*block) <= heap->reserved);
        block = (struct heap_block *)(void *)(heap->base + heap->used);
        heap->used += bytes + sizeof(*block);
        if (heap->used > heap->touched) {
            heap->touched = heap->used;
        }
    }
    *block = (struct heap_block){HEAP_LIVE, class, bytes};
    heap->live_bytes += bytes;
    if (heap->fill >= 0) {
        memset(block + 1, heap->fill, bytes);
    }
    return block + 1;
}

void heap_free(struct heap *heap, void *pointer)
{
    if (pointer == NULL) {
        return;
    }
    struct heap_block *block = block_of(pointer);
    ASSERT((char *)block >= heap->base);
    ASSERT((char *)block < heap->base + heap->used);
    ASSERT(block->mark == HEAP_LIVE);
    block->mark = HEAP_FREE;
    heap->live_bytes -= block->size;
    *(struct heap_block **)(void *)(block + 1) = heap->free[block->class];
    heap->free[block->class] = block;
}

#endif

void *heap_realloc(struct heap *heap, void *pointer, size_t size)
{
    if (pointer == NULL) {
        return heap_alloc(heap, size);
    }
    size_t old = heap_size(pointer);
    if (!HEAP_PLAIN && size <= old && size > old / 2) {
        return pointer;
    }
    void *grown = heap_alloc(heap, size);
    memcpy(grown, pointer, old < size ? old : size);
    heap_free(heap, pointer);
    return grown;
}
