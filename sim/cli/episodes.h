/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Episodes: the further runs that the estimator decompose needs, in the same worker right after the
 * run itself. A seed is a replication by itself: how many episodes each class of transition gets
 * has been decided by a pilot that is the same for all seeds, so neither the number of workers nor
 * an interruption changes anything, and no episode of the estimate has had a say in it. */
#ifndef SQUALL_CLI_EPISODES_H
#define SQUALL_CLI_EPISODES_H

#include "analysis/episode.h"
#include "sim/cli/runner.h"

#define EPISODE_LABEL_SIZE (DECOMPOSE_NAME_SIZE + 16)

/* Runs a derived spec through the worker's own means. */
typedef void episodes_run_fn(void *context, const struct run_spec *spec, uint64_t seed,
                             struct run_result *result);

struct episodes {
    struct arena arena;       /* of the derived spec of one episode */
    struct run_result result; /* of the episode in progress */
    struct client_view view;
    struct runner *runner;
    /* What the pilot of this cell has found; NULL: none yet. */
    const struct cell *cell;
    bool is_led;
    struct decompose_fleet fleet; /* its classes are those that have episodes */
    struct decompose_fleet fast;  /* accelerated, when it is to be checked */
    /* Of the seed in progress, where the fleet is simulated. */
    struct decompose_fleet own;
    uint32_t allocation[DECOMPOSE_CLASSES_MAX];
    struct decompose_sums sums[DECOMPOSE_CLASSES_MAX];
    struct decompose_sums own_sums[DECOMPOSE_CLASSES_MAX];
    struct decompose_estimate estimate;
};

/* For the life of the process, which `runner` must outlive. */
void episodes_init(struct episodes *episodes, struct runner *runner);
/* `result` is that of the run as the scenario has it. Runs the episodes of this seed, and the run
 * that checks them, and puts all rows and estimates into `result`; nothing when the scenario does
 * not ask. An episode that does not recover violates EPISODE_CHECK. */
void episodes_run(struct episodes *episodes, const struct cell *cell, uint64_t seed,
                  struct run_result *result, episodes_run_fn *run, void *context);
/* Of all episodes of the result: the determinism witness. */
uint64_t episodes_digest(const struct run_result *result);
/* "leader-lost:5-4#2", or without the number, which is 0 then. False: it is none. */
bool episodes_parse(const char *label, struct decompose_class *class_, uint32_t *number);
void episodes_label(const struct decompose_class *class_, uint32_t number,
                    char label[EPISODE_LABEL_SIZE]);

#endif
