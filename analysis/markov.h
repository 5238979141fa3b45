/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Continuous-time Markov chains of a few thousand states: stationary law, hitting times, law after
 * some time. Everything keeps its relative precision however rare a state is: there is no
 * subtraction. Rates are per unit of time of the caller's choice, which times then come in. */
#ifndef SQUALL_ANALYSIS_MARKOV_H
#define SQUALL_ANALYSIS_MARKOV_H

#include <stdbool.h>
#include <stdint.h>

#define MARKOV_STATES_MAX 3000

struct markov {
    uint32_t states;
    double *rates; /* rates[from * states + to]; the diagonal is not used */
};

/* 1 .. MARKOV_STATES_MAX states, no transitions. */
void markov_init(struct markov *markov, uint32_t states);
void markov_release(struct markov *markov);
/* `rate` >= 0 more from one state to another; from a state to itself is nothing. */
void markov_add(struct markov *markov, uint32_t from, uint32_t to, double rate);

/* The stationary law of an irreducible chain: positive, sums to 1 (Grassmann, Taksar and Heyman,
 * "Regenerative Analysis and Steady State Distributions for Markov Chains", Operations Research 33,
 * 1985). */
void markov_stationary(const struct markov *markov, double *law);
/* Mean time from every state to one with is_target; 0 there, infinite where none can be reached. */
void markov_hitting(const struct markov *markov, const bool *is_target, double *times);
/* The law at time `time` >= 0 when it is `start` at time 0 (uniformization: Jensen, Skandinavisk
 * Aktuarietidskrift 36, 1953; cut where less than 1e-15 is left). Costs states^2 for each expected
 * transition of the fastest state, or, for a long time, states^3 for each doubling of it. `law` may
 * be `start`. */
void markov_transient(const struct markov *markov, const double *start, double time, double *law);

#endif
