/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Names of calls on the wire are slot:24 | ordinal:28 | incarnation:12, so finding a call is one
 * array access, and an answer to a call that ended, or of an earlier incarnation of a calling node,
 * finds a different name and is dropped. */
#include "sim/call.h"

#include "sim/base/base.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_CALLS    64
#define SLOT_BITS      24
#define ORDINAL_BITS   28
#define SLOT_COUNT_MAX (UINT32_C(1) << SLOT_BITS)
#define ORDINAL_MASK   ((UINT64_C(1) << ORDINAL_BITS) - 1)
#define PAYLOAD_STEP   64

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL) {
        fprintf(stderr, "squall: out of memory (%zu calls of %zu bytes)\n", count, size);
        abort();
    }
    return memory;
}

/* -------------------------------------------------------------------------------- slab of calls */

uint32_t call_slab_size(const struct call_slab *slab)
{
    return slab->chunks.count * CHUNK_CALLS;
}

struct call *call_slab_at(const struct call_slab *slab, uint32_t slot)
{
    struct call *const *chunk = vec_at(&slab->chunks, slot / CHUNK_CALLS);
    return &(*chunk)[slot % CHUNK_CALLS];
}

void call_slab_init(struct call_slab *slab)
{
    *slab = (struct call_slab){0};
    vec_init(&slab->chunks, sizeof(struct call *), SLOT_COUNT_MAX / CHUNK_CALLS);
}

void call_slab_release(struct call_slab *slab, struct sched *sched)
{
    for (uint32_t at = 0; at < slab->chunks.count; at++) {
        struct call *chunk = call_slab_at(slab, at * CHUNK_CALLS);
        for (uint32_t i = 0; i < CHUNK_CALLS; i++) {
            if (chunk[i].timer != 0) {
                sched_cancel(sched, chunk[i].timer);
            }
            free(chunk[i].data);
        }
        free(chunk);
    }
    vec_release(&slab->chunks);
}

static void grow(struct call_slab *slab)
{
    uint32_t first = slab->chunks.count * CHUNK_CALLS;
    struct call *chunk = allocate(CHUNK_CALLS, sizeof(*chunk));
    vec_append(&slab->chunks, &chunk);
    for (uint32_t i = CHUNK_CALLS; i > 0; i--) {
        chunk[i - 1].slot = first + i - 1;
        chunk[i - 1].next_free = slab->free;
        slab->free = &chunk[i - 1];
    }
}

struct call *call_take(struct call_slab *slab, struct stub *stub, uint32_t incarnation)
{
    if (slab->free == NULL) {
        grow(slab);
    }
    struct call *call = slab->free;
    ASSERT(call->id == 0);
    ASSERT(call->line == NULL);
    slab->free = call->next_free;
    slab->in_flight++;
    /* From 1 to the mask, then from 1 again: a name is never 0. */
    uint64_t ordinal = slab->ordinal % ORDINAL_MASK + 1;
    slab->ordinal++;
    call->stub = stub;
    call->id =
        call->slot | ordinal << SLOT_BITS | (uint64_t)incarnation << (SLOT_BITS + ORDINAL_BITS);
    return call;
}

void call_give(struct call_slab *slab, struct call *call)
{
    ASSERT(call->id != 0);
    ASSERT(call->timer == 0);
    ASSERT(call->line == NULL);
    ASSERT(slab->in_flight > 0);
    call->id = 0;
    call->next_free = slab->free;
    slab->free = call;
    slab->in_flight--;
}

struct call *call_find(const struct call_slab *slab, uint64_t id)
{
    const uint32_t slot = (uint32_t)(id & (SLOT_COUNT_MAX - 1));
    if (id == 0 || slot / CHUNK_CALLS >= slab->chunks.count) {
        return NULL;
    }
    return call_slab_at(slab, slot);
}

void call_set_payload(struct call *call, const void *data, size_t size)
{
    ASSERT(size <= UINT32_MAX - PAYLOAD_STEP);
    if (size > call->capacity) {
        free(call->data);
        call->capacity = ((uint32_t)size + PAYLOAD_STEP - 1) / PAYLOAD_STEP * PAYLOAD_STEP;
        call->data = allocate(call->capacity, 1);
    }
    if (size > 0) {
        memcpy(call->data, data, size);
    }
    call->size = (uint32_t)size;
}

/* ----------------------------------------------------------------------------------------- lines
 */

void call_line_join(struct call_line *line, struct call *call)
{
    ASSERT(call->line == NULL);
    call->line = line;
    call->after = NULL;
    call->before = line->last;
    if (line->last != NULL) {
        line->last->after = call;
    } else {
        line->first = call;
    }
    line->last = call;
    line->count++;
}

void call_line_leave(struct call *call)
{
    struct call_line *line = call->line;
    if (line == NULL) {
        return;
    }
    ASSERT(line->count > 0);
    if (call->before != NULL) {
        call->before->after = call->after;
    } else {
        line->first = call->after;
    }
    if (call->after != NULL) {
        call->after->before = call->before;
    } else {
        line->last = call->before;
    }
    line->count--;
    call->line = NULL;
}
