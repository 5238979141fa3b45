/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The heap of libraft is one pointer for the whole process; its functions find the running node by
 * themselves (sq_env_current), so two worlds and any number of nodes can share it without
 * switching.
 *
 * Small blocks are cleared. libraft stores bytes in its log that it never set: the 8 bytes of a
 * barrier, and the padding behind an encoded configuration. They would carry whatever an earlier
 * owner of the memory left there into files, messages and digests, and runs would differ between
 * allocators. */
#include "heap.h"

#include <raft.h>
#include <stdlib.h>

#include "squall.h"

#define CLEARED_MAX 1024 /* a configuration of 64 servers fits */

static void *heap_malloc(void *data, size_t size)
{
    (void)data;
    struct sq_env *env = sq_env_current();
    void *pointer = env != NULL ? env->mem->alloc(env, size) : malloc(size);
    if (size <= CLEARED_MAX && pointer != NULL) {
        memset(pointer, 0, size);
    }
    return pointer;
}

static void heap_free(void *data, void *pointer)
{
    (void)data;
    struct sq_env *env = sq_env_current();
    if (env != NULL) {
        env->mem->free(env, pointer);
    } else {
        free(pointer);
    }
}

static void *heap_calloc(void *data, size_t count, size_t size)
{
    (void)data;
    struct sq_env *env = sq_env_current();
    if (env == NULL) {
        return calloc(count, size);
    }
    if (size != 0 && count > SIZE_MAX / size) {
        return NULL;
    }
    void *pointer = env->mem->alloc(env, count * size);
    memset(pointer, 0, count * size);
    return pointer;
}

static void *heap_realloc(void *data, void *pointer, size_t size)
{
    (void)data;
    struct sq_env *env = sq_env_current();
    return env != NULL ? env->mem->realloc(env, pointer, size) : realloc(pointer, size);
}

/* What is stricter than the 16 bytes of every allocation keeps the address of its allocation just
 * before itself. */
static void *heap_aligned_alloc(void *data, size_t alignment, size_t size)
{
    if (alignment <= 16) {
        return heap_malloc(data, size);
    }
    char *start = heap_malloc(data, size + alignment + sizeof(void *));
    if (start == NULL) {
        return NULL;
    }
    char *first = start + sizeof(void *);
    char *pointer = first + (alignment - (uintptr_t)first % alignment) % alignment;
    memcpy(pointer - sizeof(void *), &start, sizeof(void *));
    return pointer;
}

static void heap_aligned_free(void *data, size_t alignment, void *pointer)
{
    if (alignment <= 16 || pointer == NULL) {
        heap_free(data, pointer);
        return;
    }
    void *start;
    memcpy(&start, (char *)pointer - sizeof(void *), sizeof(void *));
    heap_free(data, start);
}

void raft_heap_install(void)
{
    /* libraft keeps the pointer; nothing ever changes what it points to. */
    static struct raft_heap heap = {NULL,         heap_malloc,        heap_free,        heap_calloc,
                                    heap_realloc, heap_aligned_alloc, heap_aligned_free};
    raft_heap_set(&heap);
}
