/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The part of `squall replay` that is about estimates of a fleet: a trajectory by its seed path. */
#ifndef SQUALL_CLI_REPLAY_PATH_H
#define SQUALL_CLI_REPLAY_PATH_H

#include "analysis/estimate.h"
#include "sim/cli/cli.h"

struct replay_path {
    const char *text;     /* "42/3/0/1" */
    const char *service;  /* NULL: the first */
    const char *folder;   /* of results.sqlite; NULL: the usual one */
    const char *expected; /* digest; NULL: none */
    bool is_traced;       /* all events from from_ns on, not only those of the longest outage */
    int64_t from_ns;
};

/* Goes the path, prints the events of the fleet around its longest outage (or all), and compares
 * the digest with the expected one and with what results.sqlite remembers. Returns the exit
 * status. */
int replay_trajectory(const struct plan *plan, const struct cell *cell,
                      const struct replay_path *path);
/* One line: what a replication found. */
void replay_print_estimate(const struct cell *cell, const struct estimate_sums *sums);

#endif
