/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An arena is a list of chunks and a place in it. Allocation moves the place forward; when a chunk
 * is too full the next chunk that is large enough follows, or a new one is put in between. Because
 * chunks stay in their order, a second run that allocates the same sizes walks through the same
 * chunks and asks the system for nothing.
 *
 * Chunks grow from 64 KiB to 4 MiB by doubling, so that a small arena stays small and a large one
 * has few chunks. Memory is zeroed when it is handed out, not at reset: what was never used is
 * never touched.
 *
 * Under AddressSanitizer everything that is not handed out is poisoned, and 16 poisoned bytes
 * follow every allocation, so that an overrun is seen. */
#include "sim/base/arena.h"

#include "sim/base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISON 1
#endif
#endif

#ifdef ARENA_POISON
#include <sanitizer/asan_interface.h>
#define REDZONE_BYTES 16
#else
#define ASAN_POISON_MEMORY_REGION(address, size)   ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define REDZONE_BYTES                              0
#endif

#define ALIGNMENT       16
#define CHUNK_BYTES_MIN ((size_t)64 << 10)
#define CHUNK_BYTES_MAX ((size_t)4 << 20)

struct arena_chunk {
    struct arena_chunk *next;
    size_t size; /* bytes of data */
    size_t used;
    size_t reserved; /* makes the struct a multiple of ALIGNMENT, so data is aligned */
    unsigned char data[];
};

static_assert(sizeof(struct arena_chunk) % ALIGNMENT == 0, "data follows the head aligned");

void arena_init(struct arena *arena)
{
    ASSERT(arena != NULL);
    *arena = (struct arena){0};
}

void arena_release(struct arena *arena)
{
    ASSERT(arena != NULL);
    struct arena_chunk *chunk = arena->first;
    while (chunk != NULL) {
        struct arena_chunk *next = chunk->next;
        ASAN_UNPOISON_MEMORY_REGION(chunk->data, chunk->size);
        free(chunk);
        chunk = next;
    }
    *arena = (struct arena){0};
}

void arena_reset(struct arena *arena)
{
    ASSERT(arena != NULL);
    for (struct arena_chunk *chunk = arena->first; chunk != NULL; chunk = chunk->next) {
        ASAN_POISON_MEMORY_REGION(chunk->data, chunk->used);
        chunk->used = 0;
    }
    arena->current = arena->first;
    arena->used_bytes = 0;
}

/* A chunk with room for `size` bytes, put behind the current one. */
static struct arena_chunk *add_chunk(struct arena *arena, size_t size)
{
    size_t chunk_size = CHUNK_BYTES_MIN;
    if (arena->current != NULL) {
        chunk_size =
            arena->current->size < CHUNK_BYTES_MAX / 2 ? arena->current->size * 2 : CHUNK_BYTES_MAX;
    }
    if (chunk_size < size) {
        chunk_size = size;
    }
    ASSERT(chunk_size <= SIZE_MAX - sizeof(struct arena_chunk));
    struct arena_chunk *chunk = malloc(sizeof(*chunk) + chunk_size);
    if (chunk == NULL) {
        fprintf(stderr, "squall: out of memory (%zu bytes)\n", chunk_size);
        abort();
    }
    *chunk = (struct arena_chunk){.size = chunk_size};
    ASAN_POISON_MEMORY_REGION(chunk->data, chunk->size);
    if (arena->current == NULL) {
        chunk->next = arena->first;
        arena->first = chunk;
    } else {
        chunk->next = arena->current->next;
        arena->current->next = chunk;
    }
    return chunk;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    ASSERT(arena != NULL);
    ASSERT(size <= SIZE_MAX / 2);
    size_t rounded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (rounded == 0) {
        rounded = ALIGNMENT;
    }
    size_t taken = rounded + REDZONE_BYTES;
    struct arena_chunk *chunk = arena->current;
    if (chunk == NULL || chunk->size - chunk->used < taken) {
        struct arena_chunk *next = chunk == NULL ? NULL : chunk->next;
        chunk = next != NULL && next->size >= taken ? next : add_chunk(arena, taken);
        ASSERT(chunk->used == 0);
        arena->current = chunk;
    }
    void *memory = chunk->data + chunk->used;
    ASAN_UNPOISON_MEMORY_REGION(memory, size);
    memset(memory, 0, size);
    chunk->used += taken;
    arena->used_bytes += rounded;
    return memory;
}

void *arena_alloc_array(struct arena *arena, size_t count, size_t size)
{
    ASSERT(size == 0 || count <= SIZE_MAX / 2 / size);
    return arena_alloc(arena, count * size);
}

char *arena_strdup(struct arena *arena, const char *text)
{
    ASSERT(text != NULL);
    return arena_memdup(arena, text, strlen(text) + 1);
}

char *arena_strndup(struct arena *arena, const char *text, size_t length)
{
    ASSERT(text != NULL);
    size_t copied = strnlen(text, length);
    char *copy = arena_alloc(arena, copied + 1);
    memcpy(copy, text, copied);
    return copy;
}

void *arena_memdup(struct arena *arena, const void *data, size_t size)
{
    ASSERT(data != NULL || size == 0);
    void *copy = arena_alloc(arena, size);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    ASSERT(format != NULL);
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    ASSERT(length >= 0);
    char *text = arena_alloc(arena, (size_t)length + 1);
    int written = vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    ASSERT(written == length);
    return text;
}
