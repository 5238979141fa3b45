/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Judge: watches one run through struct sq_observer and gives its verdict. It sends every event to
 * the checkers that the spec names (`always`), counts probes (`sometimes`), measures goodput,
 * latency and availability, and judges recovery (`eventually`). One judge serves a process, run
 * after run, and keeps its memory.
 *
 *     judge_begin(judge, spec, seed);
 *     world_reset(world, spec, seed, judge_observer(judge));
 *     world_run(world, INT64_MAX, UINT64_MAX);
 *     world_finish(world);
 *     judge_finish(judge, &end, &result);
 *
 * Operations of a load index >= spec->load_count belong to the closing audit of load (index %
 * spec->load_count): they are judged like all others, but not measured. */
#ifndef SQUALL_ANALYSIS_JUDGE_H
#define SQUALL_ANALYSIS_JUDGE_H

#include "analysis/result.h"
#include "sim/spec.h"
#include "squall_check.h"

struct judge;

enum judge_windows {
    JUDGE_WINDOWS_NONE,
    JUDGE_WINDOWS_FAILING, /* of runs that do not pass */
    JUDGE_WINDOWS_ALL,
};

struct judge *judge_new(void);
void judge_free(struct judge *judge);
/* Which runs' time series are put into the result; JUDGE_WINDOWS_FAILING at the start. Stays for
 * later runs. */
void judge_keep_windows(struct judge *judge, enum judge_windows windows);
/* Called at each violation as it is found, known defects included, from inside the event that shows
 * it (history checks: from judge_finish). Stays for later runs; NULL removes it. For whoever must
 * know of it even if the run kills the process. */
void judge_on_violation(struct judge *judge,
                        void (*on_violation)(void *context,
                                             const struct result_violation *violation),
                        void *context);
/* Starts a run; `spec` must stay until judge_finish. Nodes are derived from spec->groups. A check
 * of the spec that does not exist is an assertion: the input layer has refused it (checks_find). */
void judge_begin(struct judge *judge, const struct run_spec *spec, uint64_t seed);
/* The same pointer for the whole life of the judge. */
const struct sq_observer *judge_observer(struct judge *judge);
/* All violations found so far, struct result_violation, in order of discovery. Good until the next
 * judge_begin. */
const struct vec *judge_violations(const struct judge *judge);
/* The earliest found violation so far that is not a known defect, or NULL. Good until the next
 * judge_begin. */
const struct result_violation *judge_first_violation(const struct judge *judge);

/* How the world ended. */
struct judge_end {
    uint64_t digest;
    uint64_t events;
    int64_t sim_ns;
    int64_t cpu_ns;
    /* NULL or "": the normal end, spec->limit_ns; else what cut it short ("event-limit",
     * "cpu-limit", "stopped"): the verdict is then fail or unknown, never pass. */
    const char *limit;
};
/* After world_finish: runs what can be judged only at the end, and fills an initialised `result`.
 */
void judge_finish(struct judge *judge, const struct judge_end *end, struct run_result *result);

/* -------------------------------------------------------------------------------------- catalog */

/* Names of the `always` checks, in order of name, NULL-terminated (struct catalog.check_names). */
extern const char *const checks_names[];
/* One line about an `always` check, a built-in probe or "recovers"; NULL when there is no such
 * name. */
const char *checks_description(const char *name);
/* Names of the probes that squall itself hits, NULL-terminated; models add their own. */
extern const char *const checks_probes[];

#endif
