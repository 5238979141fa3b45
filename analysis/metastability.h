/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The verdict of the four arms: does a system that a trigger has pushed over come back by itself?
 * One (cell, seed) is run up to four times, on the same seed and, because streams are named, the
 * same arrivals, keys and latencies:
 *
 *   trigger   the run as the scenario has it
 *   control   without the trigger, for twice as long: a load that collapses by itself is
 *             `unstable`, whatever a trigger does to it
 *   doubled   the trigger arm for twice as long, when it has not come back in `within`
 *   probe     the trigger arm relieved for a while at the instant at which it would have ended,
 *             when the doubled one is stuck: what comes back, and stays when the relief is over,
 *             was held down by nothing but itself
 *
 *   control failed                        unstable
 *   trigger or doubled recovered          stable
 *   doubled stuck, probe recovered        metastable
 *   doubled stuck, probe stuck            permanent
 *   all else                              undecided
 *
 * Definitions, over a span of the series: an operation is GOOD when it was answered within one
 * time-out of its client from when it was meant to start; goodput is the share of good ones among
 * the operations intended in the span. A span of `hold` is healthy when goodput is at least `ratio`
 * and at most `timeouts_max` of the attempts sent in it time out. RECOVERED: the first healthy span
 * after the end of the trigger begins in time, and goodput in the last `within` is at least `ratio`
 * again. STUCK: not recovered, and goodput in the last `within` is below half of the control's in
 * the same time. HELD (control): goodput from the warm-up to the end, and in the last `within`, is
 * at least `ratio`. A probe that does not bring it back makes it permanent only when the relief was
 * enough: not when answers that nobody waits for still came as it ended (DRAINING), and not when a
 * single window since its begin was well (DEGRADED): it fell back.
 *
 * Bronson et al., "Metastable Failures in Distributed Systems", HotOS 2021; Huang et al.,
 * "Metastable Failures in the Wild", OSDI 2022. Neither has a control arm. */
#ifndef SQUALL_ANALYSIS_METASTABILITY_H
#define SQUALL_ANALYSIS_METASTABILITY_H

#include "analysis/result.h"
#include "sim/base/arena.h"
#include "sim/spec.h"

/* Checks that a verdict violates, NULL-terminated: "metastable", "permanent", "unstable" where no
 * verdict is expected, "verdict" where another is. */
extern const char *const metastability_checks[];
/* One line about one of them; NULL when there is no such name. */
const char *metastability_description(const char *name);

/* The spec of an arm, as plain data over the parts of `spec`, with what differs in `arena`. Checks
 * are the trigger arm's only, so the others have no closing audit. ARM_TRIGGER is `spec` itself. */
void metastability_derive(const struct run_spec *spec, enum run_arm arm, struct arena *arena,
                          struct run_spec *derived);

/* Judges an arm that has been run and adds it, and its series, to `result`: `run` is its own result
 * with all windows, which for the trigger arm is `result` itself. The control must have been added
 * before doubled and probe. */
void metastability_add_arm(const struct run_spec *spec, enum run_arm arm,
                           const struct run_result *run, struct run_result *result);
/* Which arm must be run next; false: `result` has all that the verdict needs. A scenario whose
 * probe is none does without ARM_PROBE: what is stuck is undecided then. */
bool metastability_next(const struct run_result *result, enum run_arm *arm);
/* Sets the verdict, is_metastable, the check row, and the violation when it is neither what is
 * expected of the cell nor, where nothing is expected, stable. */
void metastability_decide(const struct run_spec *spec, struct run_result *result);

/* The arm that tells how the trigger ended: doubled when it was run, else trigger; NULL: no arm. */
const struct result_arm *metastability_outcome(const struct run_result *result);
/* Of an arm: share of good operations; of the same in the control arm over the same time;
 * attempts for each operation; share of good answers that nobody waited for. NaN: none to count.
 */
double metastability_goodput(const struct result_arm *arm);
double metastability_amplification(const struct result_arm *arm);
double metastability_useless(const struct result_arm *arm);
double metastability_ratio(const struct result_arm *arm);

#endif
