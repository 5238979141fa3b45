/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The stream of writes that a primary keeps: a queue of records that lie end to end at offsets in
 * bytes. One log serves as the backlog and as the output buffer of every replica, each of which is
 * a range of offsets up to the end. */
#ifndef SQUALL_MODELS_RESYNC_STREAM_H
#define SQUALL_MODELS_RESYNC_STREAM_H

#include "squall.h"

/* As on the wire. */
struct record {
    uint64_t key;
    uint64_t value;
    uint64_t end; /* offset behind it */
};

struct stream {
    struct record *records; /* a ring */
    uint64_t capacity;      /* a power of two; 0 before the first */
    uint64_t first;         /* number of the oldest record, counted from the beginning of time */
    uint64_t next;          /* of the one to come */
    uint64_t start;         /* offset at which the oldest begins */
    uint64_t end;           /* offset at which the newest ends: all that was ever written */
};

void stream_append(struct sq_env *env, struct stream *stream, const struct sq_kv_request *write,
                   uint64_t size);
/* Forgets records that end at or before `offset`. */
void stream_trim(struct stream *stream, uint64_t offset);
/* A record by its number, first <= number < next. */
const struct record *stream_at(const struct stream *stream, uint64_t number);
/* Number of the first record that begins at `offset` or later; `next` when there is none. */
uint64_t stream_find(const struct stream *stream, uint64_t offset);

#endif
