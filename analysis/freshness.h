/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Freshness: does a read return what had been acknowledged before it was invoked, or something
 * newer? For a read R let S be the latest invocation among the acknowledged updates of its object
 * that completed before R was invoked. R is stale when it saw nothing, or a value whose every write
 * finished before S. A value written twice, or by an operation that never completed, is no
 * evidence.
 *
 * This is the freshness of a regular register (Lamport 1986), and what t-visibility counts (Bailis
 * et al., VLDB 2012). */
#ifndef SQUALL_ANALYSIS_FRESHNESS_H
#define SQUALL_ANALYSIS_FRESHNESS_H

#include "analysis/kv_history.h"

#include <stdbool.h>

/* The gauge that shows it: 1 for a stale read, 0 for a fresh one. Reads of the audit do not count.
 * Worked out only when a threshold asks for it. */
#define FRESHNESS_GAUGE "client.stale"

struct freshness {
    struct vec objects;    /* uint64_t by object: the update S so far */
    struct vec operations; /* uint64_t by operation id: S when it was invoked */
    struct map writer_of;  /* (object, value) -> operation id */
};

struct freshness_verdict {
    bool is_judged; /* a read that is OK, of an object with an acknowledged update before it */
    bool is_stale;
    uint64_t update; /* id of S */
};

void freshness_init(struct freshness *freshness);
void freshness_release(struct freshness *freshness);
void freshness_begin(struct freshness *freshness);
/* After the history has taken the operation; ids come dense and in order. */
void freshness_on_invoke(struct freshness *freshness, const struct kv_history *history,
                         uint64_t id);
/* The latest acknowledged update of an object; UINT64_MAX: none. */
uint64_t freshness_latest(const struct freshness *freshness, uint32_t object);
/* Was this value of the object certainly overwritten by `update`? */
bool freshness_is_overwritten(const struct freshness *freshness, const struct kv_history *history,
                              uint32_t object, uint64_t value, uint64_t update);
struct freshness_verdict freshness_on_complete(struct freshness *freshness,
                                               const struct kv_history *history, uint64_t id);

#endif
