/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Arena: memory with one lifetime. Nothing is freed alone; arena_reset forgets everything but keeps
 * the chunks, so the next run with the same arena touches warm pages and calls no system allocator.
 *
 * Out of memory ends the program. Under AddressSanitizer memory after reset is poisoned. */
#ifndef SQUALL_BASE_ARENA_H
#define SQUALL_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *first;   /* chunks in order of creation */
    struct arena_chunk *current; /* where the next allocation comes from */
    size_t used_bytes;           /* since the last reset */
};

void arena_init(struct arena *arena);
/* Gives all chunks back to the system. The struct may be initialised again. */
void arena_release(struct arena *arena);
/* Forgets every allocation, keeps the chunks. */
void arena_reset(struct arena *arena);
/* `size` bytes, zeroed, aligned to 16. Never NULL; size 0 gives a unique pointer. */
void *arena_alloc(struct arena *arena, size_t size);
/* `count` items of `size` bytes, zeroed; asserts against overflow. */
void *arena_alloc_array(struct arena *arena, size_t count, size_t size);
char *arena_strdup(struct arena *arena, const char *text);
char *arena_strndup(struct arena *arena, const char *text, size_t length);
void *arena_memdup(struct arena *arena, const void *data, size_t size);
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
