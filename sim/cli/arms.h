/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Arms: the further runs that the verdict of analysis/metastability.h needs, in the same worker
 * right after the run itself. */
#ifndef SQUALL_CLI_ARMS_H
#define SQUALL_CLI_ARMS_H

#include "sim/cli/runner.h"

#define ARMS_CONTROLS 32

/* A control arm that was run. */
struct arms_control {
    uint64_t key; /* 0: none */
    uint64_t seed;
    struct run_result result;
};

struct arms {
    struct arena arena;       /* of the derived specs of one seed */
    struct run_result result; /* of the arm in progress */
    /* The last few control arms: cells that differ in nothing but their trigger share them. */
    struct arms_control controls[ARMS_CONTROLS];
    uint32_t next_control;
    uint64_t control_key; /* of the cell to come; 0: its control arm is its own */
};

void arms_init(struct arms *arms);
/* After the world that ran them, which refers to the spec of its last run. */
void arms_release(struct arms *arms);
/* `result` is that of the run as the scenario has it, with all windows. Runs the other arms
 * through `run` and puts the verdict and all arms into `result`; nothing when the scenario does
 * not ask. */
void arms_run(struct arms *arms, const struct run_spec *spec, struct run_result *result,
              void (*run)(void *context, const struct run_spec *spec, struct run_result *result),
              void *context);
/* Arm of that name; false when there is none. */
bool arms_find(const char *name, enum run_arm *arm);

#endif
