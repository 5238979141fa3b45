/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A ring that doubles. Records are found by bisection: their ends rise. */
#include "stream.h"

#include <assert.h>

#define CAPACITY_FIRST 1024

static void grow(struct sq_env *env, struct stream *stream)
{
    const uint64_t capacity = stream->capacity > 0 ? stream->capacity * 2 : CAPACITY_FIRST;
    struct record *records = env->mem->alloc(env, capacity * sizeof(*records));
    for (uint64_t i = stream->first; i < stream->next; i++) {
        records[i & (capacity - 1)] = stream->records[i & (stream->capacity - 1)];
    }
    env->mem->free(env, stream->records);
    stream->records = records;
    stream->capacity = capacity;
}

void stream_append(struct sq_env *env, struct stream *stream, const struct sq_kv_request *write,
                   uint64_t size)
{
    if (stream->next - stream->first == stream->capacity) {
        grow(env, stream);
    }
    stream->end += size;
    stream->records[stream->next & (stream->capacity - 1)] =
        (struct record){write->key, write->value, stream->end};
    stream->next++;
}

const struct record *stream_at(const struct stream *stream, uint64_t number)
{
    assert(number >= stream->first);
    assert(number < stream->next);
    return &stream->records[number & (stream->capacity - 1)];
}

void stream_trim(struct stream *stream, uint64_t offset)
{
    while (stream->first < stream->next && stream_at(stream, stream->first)->end <= offset) {
        stream->start = stream_at(stream, stream->first)->end;
        stream->first++;
    }
}

uint64_t stream_find(const struct stream *stream, uint64_t offset)
{
    if (offset <= stream->start) {
        return stream->first;
    }
    uint64_t low = stream->first; /* it and all before begin earlier */
    uint64_t high = stream->next;
    while (high - low > 1) {
        const uint64_t middle = low + (high - low) / 2;
        if (stream_at(stream, middle - 1)->end >= offset) {
            high = middle;
        } else {
            low = middle;
        }
    }
    return high;
}
