/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Staircase: what --set would have to say so that a scenario's load climbs a ramp and comes down
 * again, with nothing else going wrong. */
#ifndef SQUALL_CLI_STAIRCASE_H
#define SQUALL_CLI_STAIRCASE_H

#include "analysis/hysteresis.h"
#include "sim/base/arena.h"
#include "sim/input/plan.h"

#define STAIRCASE_SETS_MAX 48

/* The load that an experiment on loads is about: the first that is no trigger; NULL: there is none.
 * A load that begins later and ends before the run does is a trigger even when no verdict is asked.
 */
const struct spec_load *staircase_load(const struct run_spec *spec);

/* Overrides for a scenario whose first cell is `spec`, texts in `arena`: the load is the ramp,
 * triggers and checks are gone, the run lasts as long as the ramp, and its limits grow with it.
 * `axes`: of the scenario; those of keys that go are taken away. Returns their number; UINT32_MAX:
 * more than STAIRCASE_SETS_MAX. */
uint32_t staircase_sets(const struct run_spec *spec, const struct hysteresis_ramp *ramp,
                        const struct scenario *scenario, struct arena *arena, const char **sets);

#endif
