/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A ring of pointers to entries. */
#include "tail.h"

#include <assert.h>

void tail_init(struct tail *tail, struct sq_env *env, uint32_t capacity)
{
    assert(capacity >= 1);
    size_t size = capacity * sizeof(struct entry *);
    *tail = (struct tail){.env = env, .capacity = capacity, .slots = env->mem->alloc(env, size)};
    memset(tail->slots, 0, size);
}

static struct entry **slot(const struct tail *tail, uint64_t position)
{
    return &tail->slots[position % tail->capacity];
}

static void drop(struct tail *tail, uint64_t position)
{
    struct entry **place = slot(tail, position);
    tail->env->mem->free(tail->env, *place);
    *place = NULL;
}

void tail_reset(struct tail *tail, uint64_t position, uint64_t epoch)
{
    for (uint64_t i = tail->base + 1; i <= tail->last; i++) {
        drop(tail, i);
    }
    tail->base = position;
    tail->base_epoch = epoch;
    tail->last = position;
}

void tail_append(struct tail *tail, uint64_t epoch, const void *data, uint32_t size)
{
    if (tail->last - tail->base == tail->capacity) {
        tail->base++;
        tail->base_epoch = (*slot(tail, tail->base))->epoch;
        drop(tail, tail->base);
    }
    tail->last++;
    struct entry **place = slot(tail, tail->last);
    assert(*place == NULL);
    *place = tail->env->mem->alloc(tail->env, sizeof(**place) + size);
    (*place)->epoch = epoch;
    (*place)->size = size;
    memcpy((*place)->data, data, size);
}

const struct entry *tail_at(const struct tail *tail, uint64_t position)
{
    return position > tail->base && position <= tail->last ? *slot(tail, position) : NULL;
}

uint64_t tail_epoch(const struct tail *tail, uint64_t position)
{
    if (position == tail->base) {
        return tail->base_epoch;
    }
    const struct entry *entry = tail_at(tail, position);
    return entry != NULL ? entry->epoch : TAIL_EPOCH_UNKNOWN;
}
