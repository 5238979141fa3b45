/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Episode: seconds of the real system of a scenario around one transition of its fleet. The
 * machines are the nodes of the first group. All boot and warm up; those that are down already
 * before the transition lose their power at the end of the warm-up, at random; after `settle`, at a
 * random phase, the transition comes; the clients are watched for `window`. An episode is a derived
 * run_spec like any other, with a seed and streams of its own, so it has a digest and can be had
 * again by (class, number, seed).
 *
 * The outage is the time that clients saw the service down (analysis/client_view.h), from as long
 * before the transition as an operation may wait to the end of the window, minus what of that the
 * missing quorum explains. Recovered: at least success_min of what is asked in the last quarter of
 * the window is answered, and was before the transition as well: what has not settled after the
 * losses before it is no better. */
#ifndef SQUALL_ANALYSIS_EPISODE_H
#define SQUALL_ANALYSIS_EPISODE_H

#include "analysis/client_view.h"
#include "analysis/decompose.h"
#include "analysis/result.h"
#include "sim/base/arena.h"
#include "sim/spec.h"

/* Check that an episode violates that did not recover. */
#define EPISODE_CHECK "metastable-candidate"

/* Stages have different episodes: those of the pilot decide how many of the others there are. */
enum episode_stage { EPISODE_PILOT, EPISODE_MAIN };

struct episode {
    struct decompose_class class_;
    uint32_t number;
    uint64_t seed; /* of the world */
    int64_t at_ns; /* the transition, if somebody can be struck then */
    /* Masks of nodes: down before and after; back at the transition; of whom some are lost. */
    uint64_t down;
    uint64_t back;
    uint64_t lost;
    uint32_t lost_count;
};

/* Seed of the worlds of the pilot is the same for all seeds of the campaign. The class must be
 * possible for the fleet (episode_is_possible). */
void episode_plan(const struct run_spec *spec, enum episode_stage stage, uint64_t seed,
                  const struct decompose_class *class_, uint32_t number, struct episode *episode);
bool episode_is_possible(const struct run_spec *spec, const struct decompose_class *class_);
/* The spec of its run, over the parts of `spec`, with what differs in `arena`. It has no checks:
 * what the code must never do is the business of the scenario's own run. */
void episode_derive(const struct run_spec *spec, const struct episode *episode, struct arena *arena,
                    struct run_spec *derived);
/* From the result of its run and the operations of the world. */
void episode_judge(const struct run_spec *spec, const struct episode *episode,
                   const struct run_result *run, const struct client_view *view,
                   struct result_episode *row);

/* The run that checks a decomposition: machines fail and come back by accelerated clocks. It ends
 * with the first cycle of the fleet, from all machines up to all machines up, that is over after
 * the `duration` that is asked for. (A run that ends at an instant fixed beforehand leaves the
 * cycle in progress out, which is longer than others, and so finds too few or too many outages
 * however many seeds there are: for one machine, and ten cycles in a run, 6 % too many.) If that is
 * not before EPISODE_VALIDATION_MAX times the duration, it ends with the last cycle before all the
 * same. `seed` of the world is episode_validation_seed. */
#define EPISODE_VALIDATION_MAX 4
uint64_t episode_validation_seed(uint64_t seed);
void episode_validation_derive(const struct run_spec *spec, uint64_t seed, struct arena *arena,
                               struct run_spec *derived);
/* What the clients saw of it, a cycle being one observation: fills `crude`. The first cycle is left
 * out, for it begins with a boot and not with a machine that comes back. When the run ends is
 * decided by the cycles so far alone, so the sums over cycles of time down and of time are right in
 * expectation (Wald's equation; exactly so where cycles are independent, that is with exponential
 * laws), and their ratio over many seeds is.
 *
 * `controlled` gets the same with the time without a quorum, which is known of every cycle,
 * replaced by its expectation, the share `down` of the cycle: a control variate whose mean is known
 * and whose coefficient is 1 and not fitted, so it adds no error of its own as long as `down` is
 * right. The luck of few long repairs is gone from it, what the code made of them is not. For the
 * same reason it says nothing about `down`, which the decomposition has as well: that is for the
 * plain one. */
void episode_validation_judge(const struct run_spec *derived, uint64_t seed, double down,
                              const struct client_view *view, struct estimate_sums *crude,
                              struct estimate_sums *controlled);
/* The same fleet by itself, without the code: adds (time without a quorum, time) of so many cycles,
 * or of those in EPISODE_VALIDATION_EVENTS events. */
#define EPISODE_VALIDATION_EVENTS 1000000
void episode_validation_fleet(const struct spec_fleet *fast, uint64_t seed, uint32_t cycles,
                              struct estimate_sums *sums);

#endif
