/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The end of a node's log, in memory: the newest entries, at most `capacity` of them, positions
 * base + 1 .. last. What is older exists only in the database. Memory is the node's. */
#ifndef SQUALL_MODELS_PRIMARY_BACKUP_TAIL_H
#define SQUALL_MODELS_PRIMARY_BACKUP_TAIL_H

#include "squall.h"

#define TAIL_EPOCH_UNKNOWN UINT64_MAX

struct entry {
    uint64_t epoch; /* of the primary that made it */
    uint32_t size;
    uint8_t data[]; /* a struct sq_kv_request and its padding */
};

struct tail {
    struct sq_env *env;
    struct entry **slots; /* by position modulo capacity */
    uint32_t capacity;    /* >= 1 */
    uint64_t base;
    uint64_t base_epoch; /* of the entry at `base` */
    uint64_t last;
};

/* Empty, with `base` and `last` at position 0. */
void tail_init(struct tail *tail, struct sq_env *env, uint32_t capacity);
/* Drops all entries; the log now ends at `position`, whose entry was made in `epoch`. */
void tail_reset(struct tail *tail, uint64_t position, uint64_t epoch);
/* Adds the entry at last + 1; the oldest one goes when there is no room. Copies the data. */
void tail_append(struct tail *tail, uint64_t epoch, const void *data, uint32_t size);
/* The entry, or NULL when it is not in memory. */
const struct entry *tail_at(const struct tail *tail, uint64_t position);
/* In which epoch the entry at `position` was made; TAIL_EPOCH_UNKNOWN when that is before `base` or
 * after `last`. */
uint64_t tail_epoch(const struct tail *tail, uint64_t position);

#endif
