/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Elimination as in Grassmann, Taksar and Heyman (1985): the last state is taken out, and those
 * before take over its rates,
 *     rate(i, j) += rate(i, s) rate(s, j) / out(s),
 * where out(s) is the sum of the rates to states that are left, never the difference on the
 * diagonal of a generator. So a probability of 1e-20 has fifteen digits, where LU decomposition of
 * the balance equations gives a negative one. For hitting times the costs go along,
 *     cost(i) += rate(i, s) cost(s) / out(s), with out(s) including the rate into the target.
 *
 * The transient law is a sum of Poisson terms over powers of the uniformized chain, taken in spans
 * with at most SPAN expected transitions each: e^-SPAN is then far from underflow, and all terms
 * are positive. A time of very many transitions is reached by squaring the matrix of a short one:
 * products and sums of what is positive, so that each squaring at most doubles the relative error.
 *
 * Not here: sparse chains. analysis/predict_chain.c has its own elimination in a band. */
#include "analysis/markov.h"

#include "sim/base/base.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SPAN     32.0
#define ENOUGH   1e-17 /* a Poisson weight beyond the mean that adds nothing any more */
#define DOUBLING 45.0  /* expected transitions for each state from which on doubling is cheaper */

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size);
    if (memory == NULL) {
        fprintf(stderr, "squall: out of memory (%zu times %zu bytes for a chain)\n", count, size);
        abort();
    }
    return memory;
}

void markov_init(struct markov *markov, uint32_t states)
{
    ASSERT(states >= 1);
    ASSERT(states <= MARKOV_STATES_MAX);
    markov->states = states;
    markov->rates = allocate((size_t)states * states, sizeof(double));
}

void markov_release(struct markov *markov)
{
    free(markov->rates);
    *markov = (struct markov){0};
}

void markov_add(struct markov *markov, uint32_t from, uint32_t to, double rate)
{
    ASSERT(from < markov->states);
    ASSERT(to < markov->states);
    ASSERT(rate >= 0);
    if (from != to) {
        markov->rates[(size_t)from * markov->states + to] += rate;
    }
}

void markov_stationary(const struct markov *markov, double *law)
{
    const uint32_t n = markov->states;
    double *rates = allocate((size_t)n * n, sizeof(double));
    memcpy(rates, markov->rates, (size_t)n * n * sizeof(double));
    for (uint32_t s = n - 1; s > 0; s--) {
        const double *from_s = &rates[(size_t)s * n];
        double out = 0;
        for (uint32_t j = 0; j < s; j++) {
            out += from_s[j];
        }
        ASSERT(out > 0); /* irreducible */
        for (uint32_t i = 0; i < s; i++) {
            double *from_i = &rates[(size_t)i * n];
            if (from_i[s] == 0) {
                continue;
            }
            from_i[s] /= out;
            for (uint32_t j = 0; j < s; j++) {
                from_i[j] += from_i[s] * from_s[j];
            }
        }
    }
    double sum = 1;
    law[0] = 1;
    for (uint32_t s = 1; s < n; s++) {
        law[s] = 0;
        for (uint32_t i = 0; i < s; i++) {
            law[s] += law[i] * rates[(size_t)i * n + s];
        }
        sum += law[s];
    }
    for (uint32_t s = 0; s < n; s++) {
        law[s] /= sum;
    }
    free(rates);
}

/* A chain without its target: rates between other states, into the target, mean costs. */
struct elimination {
    uint32_t n;
    double *rates;
    double *into;
    double *cost;
    double *out;
};

/* Takes state `s` out of those before it. */
static void eliminate(struct elimination *work, uint32_t s)
{
    const uint32_t n = work->n;
    const double *from_s = &work->rates[(size_t)s * n];
    double out = work->into[s];
    for (uint32_t j = 0; j < s; j++) {
        out += from_s[j];
    }
    work->out[s] = out;
    if (out == 0) {
        return; /* it never leaves: whoever comes here takes for ever */
    }
    for (uint32_t i = 0; i < s; i++) {
        double *from_i = &work->rates[(size_t)i * n];
        const double share = from_i[s] / out;
        if (share == 0) {
            continue;
        }
        for (uint32_t j = 0; j < s; j++) {
            from_i[j] += share * from_s[j];
        }
        work->into[i] += share * work->into[s];
        work->cost[i] += share * work->cost[s];
    }
}

/* cost(s) = 1 + sum of rates(s, j) time(j), all over out(s): a state that is taken out leaves only
 * for earlier ones, so times are known from the first state on. */
static void solve_forwards(struct elimination *work, const uint32_t *names, double *times)
{
    const uint32_t n = work->n;
    for (uint32_t s = 0; s < n; s++) {
        double sum = work->cost[s];
        const double *from_s = &work->rates[(size_t)s * n];
        for (uint32_t j = 0; j < s; j++) {
            sum += from_s[j] > 0 ? from_s[j] * times[names[j]] : 0;
        }
        times[names[s]] = work->out[s] > 0 ? sum / work->out[s] : (double)INFINITY;
    }
}

void markov_hitting(const struct markov *markov, const bool *is_target, double *times)
{
    uint32_t *names = allocate(markov->states, sizeof(*names));
    struct elimination work = {0};
    for (uint32_t s = 0; s < markov->states; s++) {
        times[s] = 0;
        if (!is_target[s]) {
            names[work.n++] = s;
        }
    }
    work.rates = allocate((size_t)work.n * work.n, sizeof(double));
    work.into = allocate(work.n, sizeof(double));
    work.cost = allocate(work.n, sizeof(double));
    work.out = allocate(work.n, sizeof(double));
    for (uint32_t i = 0; i < work.n; i++) {
        const double *from = &markov->rates[(size_t)names[i] * markov->states];
        work.cost[i] = 1;
        for (uint32_t to = 0; to < markov->states; to++) {
            work.into[i] += is_target[to] ? from[to] : 0;
        }
        for (uint32_t j = 0; j < work.n; j++) {
            work.rates[(size_t)i * work.n + j] = i == j ? 0 : from[names[j]];
        }
    }
    for (uint32_t s = work.n; s > 0; s--) {
        eliminate(&work, s - 1);
    }
    solve_forwards(&work, names, times);
    free(work.rates);
    free(work.into);
    free(work.cost);
    free(work.out);
    free(names);
}

/* law = law * (I + Q / rate), through `scratch`. */
static void step(const struct markov *markov, const double *out, double rate, double *law,
                 double *scratch)
{
    const uint32_t n = markov->states;
    for (uint32_t j = 0; j < n; j++) {
        scratch[j] = law[j] * (1 - out[j] / rate);
    }
    for (uint32_t i = 0; i < n; i++) {
        const double *from = &markov->rates[(size_t)i * n];
        const double weight = law[i] / rate;
        for (uint32_t j = 0; weight > 0 && j < n; j++) {
            scratch[j] += j == i ? 0 : weight * from[j];
        }
    }
    memcpy(law, scratch, n * sizeof(*law));
}

/* One span: the law after `jumps` expected transitions of the uniformized chain. */
static void advance(const struct markov *markov, const double *out, double rate, double jumps,
                    double *law)
{
    const uint32_t n = markov->states;
    double *power = allocate(n, sizeof(double));
    double *scratch = allocate(n, sizeof(double));
    memcpy(power, law, n * sizeof(double));
    double weight = exp(-jumps);
    for (uint32_t i = 0; i < n; i++) {
        law[i] = weight * power[i];
    }
    for (uint32_t k = 1; k < jumps || weight > ENOUGH; k++) {
        step(markov, out, rate, power, scratch);
        weight *= jumps / k;
        for (uint32_t i = 0; i < n; i++) {
            law[i] += weight * power[i];
        }
    }
    free(power);
    free(scratch);
}

/* matrix = matrix * matrix, of a square matrix. */
static void square(uint32_t n, double *matrix, double *scratch)
{
    memset(scratch, 0, (size_t)n * n * sizeof(double));
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < n; k++) {
            const double weight = matrix[(size_t)i * n + k];
            const double *row = &matrix[(size_t)k * n];
            for (uint32_t j = 0; weight > 0 && j < n; j++) {
                scratch[(size_t)i * n + j] += weight * row[j];
            }
        }
    }
    memcpy(matrix, scratch, (size_t)n * n * sizeof(double));
}

/* A long time is a short one doubled again and again. */
static void advance_by_doubling(const struct markov *markov, const double *out, double rate,
                                double jumps, double *law)
{
    const uint32_t n = markov->states;
    const int doublings = (int)ceil(log2(jumps));
    double *matrix = allocate((size_t)n * n, sizeof(double));
    double *scratch = allocate((size_t)n * n, sizeof(double));
    for (uint32_t i = 0; i < n; i++) {
        matrix[(size_t)i * n + i] = 1;
        advance(markov, out, rate, ldexp(jumps, -doublings), &matrix[(size_t)i * n]);
    }
    for (int i = 0; i < doublings; i++) {
        square(n, matrix, scratch);
    }
    memcpy(scratch, law, n * sizeof(double));
    for (uint32_t j = 0; j < n; j++) {
        law[j] = 0;
        for (uint32_t i = 0; i < n; i++) {
            law[j] += scratch[i] * matrix[(size_t)i * n + j];
        }
    }
    free(matrix);
    free(scratch);
}

void markov_transient(const struct markov *markov, const double *start, double time, double *law)
{
    ASSERT(time >= 0);
    const uint32_t n = markov->states;
    double *out = allocate(n, sizeof(double));
    double rate = 0;
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t j = 0; j < n; j++) {
            out[i] += i == j ? 0 : markov->rates[(size_t)i * n + j];
        }
        rate = fmax(rate, out[i]);
    }
    memmove(law, start, n * sizeof(*law));
    const double jumps = rate * time;
    const bool is_long = jumps > DOUBLING * n;
    const double spans = is_long ? 0 : ceil(jumps / SPAN);
    if (is_long) {
        advance_by_doubling(markov, out, rate, jumps, law);
    }
    for (double at = 0; at < spans; at++) {
        advance(markov, out, rate, jumps / spans, law);
    }
    free(out);
}
