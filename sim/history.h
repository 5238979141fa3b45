/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * History: every client operation of a run, in order of invocation, told to the observer as it
 * happens. */
#ifndef SQUALL_SIM_HISTORY_H
#define SQUALL_SIM_HISTORY_H

#include "sim/base/vec.h"
#include "squall_check.h"

struct world;

struct history {
    struct world *world;
    struct vec operations; /* struct sq_operation; index == id */
    uint64_t order;        /* next invoke or complete order */
};

void history_init(struct history *history, struct world *world);
void history_release(struct history *history);
void history_reset(struct history *history);
/* A new operation, intended at intended_ns and invoked now; fills what is given by `model` (load,
 * process, kind, key, argument). Returns its id. */
uint64_t history_invoke(struct history *history, const struct sq_operation *model,
                        int64_t intended_ns);
/* One more send of it. */
void history_attempt(struct history *history, uint64_t id);
void history_complete(struct history *history, uint64_t id, enum sq_outcome outcome,
                      enum sq_status status, uint64_t result, sq_node replied_by);
/* At the end of a run: operations still open become INFO with status SQ_E_TIMEOUT. */
void history_close(struct history *history);

#endif
