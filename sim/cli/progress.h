/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Progress of a campaign on stderr: a line that is redrawn at most ten times a second on a
 * terminal, a plain line every thirty seconds elsewhere. */
#ifndef SQUALL_CLI_PROGRESS_H
#define SQUALL_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool is_quiet;
    bool is_terminal;
    const char *unit; /* of what is counted, in the plural */
    uint64_t total;   /* runs of the campaign; a guess that is raised when there are more */
    uint64_t skipped; /* done by an earlier campaign */
    uint64_t done;    /* by this one */
    uint64_t failing;
    int64_t sim_ns; /* simulated so far */
    int64_t started_ns;
    int64_t shown_ns;
    int64_t deadline_ns; /* of --time-budget; INT64_MAX = none */
};

void progress_init(struct progress *progress, uint64_t total, bool is_quiet);
/* Shows it when it is time to. */
void progress_tick(struct progress *progress);
/* Removes the line. */
void progress_end(struct progress *progress);

#endif
