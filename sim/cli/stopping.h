/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which run of a campaign comes next, and when a cell has enough of them. Without
 * `availability.precision` seeds are the outer loop and cells the inner one. With it a cell is
 * looked at when its first 1, 2, 3, 4, 6, 8, 12, ... seeds are in (powers of 1.5, rounded up), and
 * asks for no more once every service is estimated precisely enough. No run beyond the next look
 * starts before that look, so where a cell stops is a function of its seeds: the same with any
 * number of workers, and in a campaign that was resumed. A cell with a gate (sim/cli/gate.h) is
 * looked at every STOPPING_STEP seeds, and where it could first accept. */
#ifndef SQUALL_CLI_STOPPING_H
#define SQUALL_CLI_STOPPING_H

#include "analysis/results.h"
#include "sim/input/plan.h"

#define STOPPING_STEP 8

struct stopping_cell {
    bool is_sequential;
    bool is_gated;     /* metastability.gate decides on it */
    uint64_t next;     /* index of the seed that comes next */
    uint64_t end;      /* no seed from here on is asked for */
    uint64_t finished; /* of the seeds before `next` */
    uint64_t look;     /* at so many; none starts beyond before they are in */
    uint32_t power;    /* of 1.5, of that look */
};

struct stopping {
    const struct plan *plan;
    struct stopping_cell *cells;
    uint64_t spared; /* runs that are not needed */
};

void stopping_init(struct stopping *stopping, const struct plan *plan);
void stopping_release(struct stopping *stopping);
/* The next run; false: there is none, or all wait for runs that are not in. */
bool stopping_next(struct stopping *stopping, uint32_t *cell, uint64_t *seed_index);
/* A run of that cell is in `results`. False: they cannot be read. */
bool stopping_finish(struct stopping *stopping, struct results *results, uint32_t cell,
                     int64_t cell_id, struct err *err);
/* 1.5^power rounded up; power <= 50. */
uint64_t stopping_look(uint32_t power);

#endif
