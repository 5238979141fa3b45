/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The key-value operations of a run in the form that the history checkers need: compact, with dense
 * object numbers (one for each key of each group of nodes). Keys of different groups are different
 * objects. */
#ifndef SQUALL_ANALYSIS_KV_HISTORY_H
#define SQUALL_ANALYSIS_KV_HISTORY_H

#include "sim/base/map.h"
#include "sim/base/vec.h"
#include "sim/spec.h"
#include "squall_check.h"

#include <stdbool.h>
#include <stdint.h>

#define KV_PENDING UINT64_MAX

struct kv_operation {
    uint64_t value; /* written, or seen by a read that is OK */
    uint64_t start; /* invoke_order */
    /* complete_order of an OK operation; KV_PENDING while open, and of INFO for ever */
    uint64_t finish;
    sq_time invoked;
    sq_time completed; /* INT64_MAX while open */
    uint32_t object;
    uint32_t process;
    uint16_t kind;    /* enum sq_kv_kind */
    uint16_t outcome; /* enum sq_outcome */
};

struct kv_object {
    uint32_t group;
    uint64_t key;
};

struct kv_history {
    const struct run_spec *spec;
    struct vec operations; /* struct kv_operation; index == operation id */
    struct vec objects;    /* struct kv_object, in order of first use */
    struct map object_of;  /* (group, key) -> index in objects */
};

void kv_history_init(struct kv_history *history);
void kv_history_release(struct kv_history *history);
void kv_history_begin(struct kv_history *history, const struct run_spec *spec);
/* Ids must come dense and in order. */
void kv_history_on_invoke(struct kv_history *history, const struct sq_operation *operation);
void kv_history_on_complete(struct kv_history *history, const struct sq_operation *operation);
/* The object of a key of a group; false when no operation was on it. */
bool kv_history_object(const struct kv_history *history, uint32_t group, uint64_t key,
                       uint32_t *object);
static inline struct kv_operation *kv_history_at(const struct kv_history *history, uint64_t id)
{
    return (struct kv_operation *)history->operations.items + id;
}

#endif
