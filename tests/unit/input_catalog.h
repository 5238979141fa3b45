/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A catalog for tests of the input layer: two models with an option of every type, and a few
 * checks. */
#ifndef SQUALL_TESTS_UNIT_INPUT_CATALOG_H
#define SQUALL_TESTS_UNIT_INPUT_CATALOG_H

#include "analysis/threshold.h"

#include "sim/base/base.h"
#include "sim/spec.h"

#include <string.h>

static const struct sq_option catalog_options[] = {
    {"electionTimeout", SQ_OPTION_DURATION, "1s", NULL, "time without a leader"},
    {"snapshotThreshold", SQ_OPTION_COUNT, "1024", NULL, "entries before a snapshot"},
    {"pageSize", SQ_OPTION_SIZE, "4KiB", NULL, "size of a page"},
    {"sampling", SQ_OPTION_PERCENT, "50%", NULL, "share that is sampled"},
    {"durable", SQ_OPTION_BOOLEAN, "true", NULL, "is the log synced"},
    {"acks", SQ_OPTION_CHOICE, "one", "async|one|all", "who must have it"},
    {"note", SQ_OPTION_TEXT, "", NULL, "anything"},
};

static inline void catalog_signal(struct sq_env *env, const char *name, int64_t value)
{
    (void)env;
    (void)name;
    (void)value;
}

static const struct sq_model catalog_raft = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(struct sq_model),
    .name = "raft",
    .version = "libraft 0.15.0",
    .description = "a test model",
    .options = catalog_options,
    .option_count = ARRAY_COUNT(catalog_options),
    .signal = catalog_signal,
};

static const struct sq_model catalog_echo = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(struct sq_model),
    .name = "echo",
    .version = "1",
    .description = "no options",
};

static inline const struct sq_model *catalog_find(void *context, const char *name, const char *base,
                                                  struct err *err)
{
    (void)context;
    if (strcmp(name, "raft") == 0) {
        return &catalog_raft;
    }
    if (strcmp(name, "echo") == 0) {
        return &catalog_echo;
    }
    err_set(err, ERR_INPUT, "unknown model '%s' in '%s'", name, base);
    return NULL;
}

static const char *const catalog_models[] = {"echo", "raft", NULL};
__attribute__((unused)) static const char *const catalog_checks[] = {
    "no-lost-acked-write", "raft.election-safety", "raft.log-matching", "state-machine-agreement",
    NULL};

__attribute__((unused)) static const struct catalog test_catalog = {
    .find_model = catalog_find,
    .model_names = catalog_models,
    .check_names = catalog_checks,
    .check_threshold = threshold_check,
};

#endif
