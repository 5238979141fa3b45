/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Heap of one node: what the node allocates, dropped whole at a crash. It lives at a fixed
 * address, so a pointer that leaks into a decision of the code under test leaks the same value in
 * every run. Under AddressSanitizer each block comes from malloc instead, so that overruns and
 * uses after free are seen. A second free of a block is an assertion. */
#ifndef SQUALL_SIM_HEAP_H
#define SQUALL_SIM_HEAP_H

#include <stddef.h>
#include <stdint.h>

#define HEAP_CLASSES    128
#define HEAP_NODE_BYTES (UINT64_C(8) << 30)

struct heap_block;

struct heap {
    char *base;          /* NULL until first used */
    size_t reserved;     /* bytes of address space */
    size_t used;         /* bump pointer */
    size_t touched;      /* most ever used */
    uint64_t live_bytes; /* asked for and not freed */
    int fill;            /* byte that new blocks are filled with, or -1: left as they are */
    struct heap_block *free[HEAP_CLASSES];
    struct heap_block *blocks; /* AddressSanitizer only: all live blocks */
};

/* `place` picks the address: heaps with different places never overlap while place < 4096. */
void heap_init(struct heap *heap, uint32_t place, int fill);
void heap_release(struct heap *heap);
/* Forgets every block at once. */
void heap_drop(struct heap *heap);
void *heap_alloc(struct heap *heap, size_t size);
void *heap_realloc(struct heap *heap, void *pointer, size_t size);
void heap_free(struct heap *heap, void *pointer);
size_t heap_size(const void *pointer);

#endif
