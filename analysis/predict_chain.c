/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * States are numbered so that transitions reach at most one row of the shorter side away; the rates
 * are a band around the diagonal, and elimination fills the band and nothing else. States are
 * eliminated from the last to the first as in Grassmann, Taksar and Heyman (1985): without state s,
 *     rate(i, j) += rate(i, s) rate(s, j) / out(s),     cost(i) += rate(i, s) cost(s) / out(s),
 * where out(s) is the sum of the rates that leave s for states not yet eliminated, never the
 * difference that stands on the diagonal of a generator. Only additions, products and quotients of
 * positive numbers occur, so every result has nearly full relative precision, though it be 10^300
 * s. LU of the generator loses all digits at some 10^13 s and goes negative.
 *
 * Hitting times start with cost 1 in each state and have the target as the last state, which
 * absorbs. The stationary law is the same elimination without target, unrolled forwards.
 *
 * The second eigenvalue comes from inverse iteration on the functions of stationary mean 0: with
 * the likeliest state as the target the elimination solves -Q x = f for such f. Signs mix here, but
 * from there x is no larger than the relaxation time itself, so rounding stays small against it. */
#include "analysis/predict_chain.h"

#include "sim/base/base.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WORK_MAX   2e9   /* multiplications of one elimination */
#define CELLS_MAX  1.5e7 /* of the band */
#define ITERATIONS 2000
#define SETTLED    1e-8
#define LARGE      1e200

struct chain {
    struct chain_model model;
    uint32_t count;
    uint32_t width; /* of the band to each side */
    uint32_t minor; /* length of the shorter side */
    bool is_queue_minor;
    double *rates; /* count rows of 2 width + 1 */
};

/* An elimination: the band afterwards, rates into the target, sums that leave. */
struct elimination {
    const struct chain *chain;
    double *rates;
    double *into; /* the target */
    double *out;  /* 0 for states of the target */
    bool *is_target;
};

static uint32_t index_of(const struct chain *chain, uint32_t queue, uint32_t orbit)
{
    return chain->is_queue_minor ? orbit * chain->minor + queue : queue * chain->minor + orbit;
}

static double *rate_at(const struct chain *chain, double *rates, uint32_t from, uint32_t to)
{
    ASSERT(to + chain->width >= from);
    ASSERT(from + chain->width >= to);
    size_t row = (size_t)from * (2 * chain->width + 1);
    return &rates[row + (to + chain->width - from)];
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    ASSERT(memory != NULL);
    return memory;
}

/* The chance that an arrival that finds `queue` requests times out: it waits for queue - servers +
 * 1 departures at the rate of all servers, and is then served itself. */
static double late_exact(const struct chain_model *model, uint32_t queue)
{
    double service = model->service_per_s;
    double timeout = model->timeout_s;
    double servers = model->servers;
    double own = exp(-service * timeout);
    if (queue < model->servers) {
        return own;
    }
    double ahead = queue - servers + 1;
    if (model->servers == 1) {
        return gsl_cdf_gamma_Q(timeout, ahead + 1, 1 / service);
    }
    double waits = gsl_cdf_gamma_Q(timeout, ahead, 1 / (servers * service));
    double tilted = gsl_cdf_gamma_P(timeout, ahead, 1 / ((servers - 1) * service));
    return waits + exp(ahead * log1p(1 / (servers - 1)) - service * timeout + log(tilted));
}

static double late(const struct chain_model *model, uint32_t queue)
{
    uint32_t busy = queue < model->servers ? queue : model->servers;
    double rate = busy * model->service_per_s;
    if (queue == 0) {
        return 0;
    }
    if (model->tail == CHAIN_TAIL_EXACT) {
        double share = late_exact(model, queue);
        return isfinite(share) ? fmin(1, fmax(0, share)) : model->timeout_s * rate < queue;
    }
    double spare = model->timeout_s - queue / rate;
    double deviation = sqrt(queue) / rate;
    return spare > deviation ? (deviation / spare) * (deviation / spare) : 1;
}

static void add_rate(struct chain *chain, uint32_t from, int32_t queue, int32_t orbit, double rate)
{
    bool is_inside = queue >= 0 && queue < (int32_t)chain->model.queue_states && orbit >= 0 &&
                     orbit < (int32_t)chain->model.orbit_states;
    if (is_inside && rate > 0) {
        uint32_t to = index_of(chain, (uint32_t)queue, (uint32_t)orbit);
        *rate_at(chain, chain->rates, from, to) += rate;
    }
}

static void fill_state(struct chain *chain, uint32_t queue, uint32_t orbit, double tail)
{
    const struct chain_model *model = &chain->model;
    double sends = model->retries + 1.0;
    double again = orbit * model->retries / (sends * model->timeout_s);
    double leave = orbit / (sends * model->timeout_s);
    uint32_t from = index_of(chain, queue, orbit);
    int32_t q = (int32_t)queue;
    int32_t o = (int32_t)orbit;
    uint32_t busy = queue < model->servers ? queue : model->servers;
    add_rate(chain, from, q - 1, o, busy * model->service_per_s);
    if (queue == model->queue_states - 1) {
        add_rate(chain, from, q, o - 1, again + leave);
        return;
    }
    add_rate(chain, from, q + 1, o + 1, model->alpha * model->load_per_s * tail);
    add_rate(chain, from, q + 1, o, model->load_per_s + again * tail);
    add_rate(chain, from, q + 1, o - 1, again * (1 - tail));
    add_rate(chain, from, q, o - 1, leave);
}

static bool is_positive(double value)
{
    return isfinite(value) && value > 0;
}

bool chain_new(const struct chain_model *model, struct chain **result, struct err *err)
{
    if (!is_positive(model->load_per_s) || !is_positive(model->service_per_s) ||
        !is_positive(model->timeout_s) || !is_positive(model->alpha) || model->alpha > 1 ||
        model->servers < 1 || model->queue_states < 3 || model->orbit_states < 1) {
        return err_set(err, ERR_INPUT,
                       "a chain needs positive rates and three states of the queue");
    }
    bool is_queue_minor = model->queue_states < model->orbit_states;
    uint32_t minor = is_queue_minor ? model->queue_states : model->orbit_states;
    double states = (double)model->queue_states * model->orbit_states;
    double width = minor + 1.0;
    if (states * (2 * width + 1) > CELLS_MAX || states * width * width > WORK_MAX) {
        return err_set(err, ERR_INPUT, "a chain of %u x %u states is too large",
                       model->queue_states, model->orbit_states);
    }
    gsl_set_error_handler_off();
    struct chain *chain = allocate(1, sizeof(*chain));
    *chain = (struct chain){.model = *model,
                            .count = (uint32_t)states,
                            .width = minor + 1,
                            .minor = minor,
                            .is_queue_minor = is_queue_minor};
    chain->rates = allocate((size_t)chain->count * (2 * chain->width + 1), sizeof(double));
    for (uint32_t queue = 0; queue < model->queue_states; queue++) {
        double tail = late(model, queue);
        for (uint32_t orbit = 0; orbit < model->orbit_states; orbit++) {
            fill_state(chain, queue, orbit, tail);
        }
    }
    *result = chain;
    return true;
}

void chain_free(struct chain *chain)
{
    if (chain != NULL) {
        free(chain->rates);
        free(chain);
    }
}

static uint32_t band_low(const struct chain *chain, uint32_t state)
{
    return state > chain->width ? state - chain->width : 0;
}

/* Takes state `s` out; states below it take over its rates. */
static void eliminate(struct elimination *work, uint32_t s)
{
    const struct chain *chain = work->chain;
    uint32_t low = band_low(chain, s);
    const double *from_s = rate_at(chain, work->rates, s, low);
    double out = work->into[s];
    for (uint32_t j = low; j < s; j++) {
        out += from_s[j - low];
    }
    work->out[s] = out;
    if (out <= 0) {
        return;
    }
    for (uint32_t i = low; i < s; i++) {
        double share = *rate_at(chain, work->rates, i, s) / out;
        if (share <= 0 || work->is_target[i]) {
            continue;
        }
        double *from_i = rate_at(chain, work->rates, i, low);
        double own = from_i[i - low];
        for (uint32_t j = low; j < s; j++) {
            from_i[j - low] += share * from_s[j - low];
        }
        from_i[i - low] = own;
        work->into[i] += share * work->into[s];
    }
}

/* Eliminates every state outside of the target, the last first. The target may be empty. */
static void elimination_init(struct elimination *work, const struct chain *chain, bool *is_target)
{
    size_t row = 2 * (size_t)chain->width + 1;
    *work = (struct elimination){.chain = chain, .is_target = is_target};
    work->rates = allocate(chain->count * row, sizeof(double));
    work->into = allocate(chain->count, sizeof(double));
    work->out = allocate(chain->count, sizeof(double));
    memcpy(work->rates, chain->rates, chain->count * row * sizeof(double));
    for (uint32_t i = 0; i < chain->count; i++) {
        uint32_t low = band_low(chain, i);
        uint32_t high = i + chain->width < chain->count ? i + chain->width : chain->count - 1;
        for (uint32_t j = low; j <= high; j++) {
            if (is_target[j]) {
                double *rate = rate_at(chain, work->rates, i, j);
                work->into[i] += *rate;
                *rate = 0;
            }
        }
    }
    for (uint32_t s = chain->count; s-- > 0;) {
        if (!is_target[s]) {
            eliminate(work, s);
        }
    }
}

static void elimination_release(struct elimination *work)
{
    free(work->rates);
    free(work->into);
    free(work->out);
}

/* Solves -Q x = cost outside of the target, x = 0 within; `cost` is overwritten by x. */
static void solve(const struct elimination *work, double *cost)
{
    const struct chain *chain = work->chain;
    for (uint32_t s = chain->count; s-- > 0;) {
        if (work->is_target[s] || work->out[s] <= 0) {
            continue;
        }
        for (uint32_t i = band_low(chain, s); i < s; i++) {
            double rate = *rate_at(chain, work->rates, i, s);
            if (rate > 0 && !work->is_target[i]) {
                cost[i] += rate / work->out[s] * cost[s];
            }
        }
    }
    for (uint32_t s = 0; s < chain->count; s++) {
        if (work->is_target[s]) {
            cost[s] = 0;
            continue;
        }
        double sum = cost[s];
        for (uint32_t j = band_low(chain, s); j < s; j++) {
            double rate = *rate_at(chain, work->rates, s, j);
            if (rate > 0) {
                sum += rate * cost[j];
            }
        }
        cost[s] = work->out[s] > 0 ? sum / work->out[s] : INFINITY;
    }
}

static bool *mark(const struct chain *chain, struct chain_set set)
{
    bool *marks = allocate(chain->count, sizeof(bool));
    ASSERT(set.queue_high < chain->model.queue_states);
    ASSERT(set.orbit_high < chain->model.orbit_states);
    for (uint32_t queue = set.queue_low; queue <= set.queue_high; queue++) {
        for (uint32_t orbit = set.orbit_low; orbit <= set.orbit_high; orbit++) {
            marks[index_of(chain, queue, orbit)] = true;
        }
    }
    return marks;
}

/* From our order of states to that of the header. */
static void export(const struct chain *chain, const double *values, double *result)
{
    for (uint32_t queue = 0; queue < chain->model.queue_states; queue++) {
        for (uint32_t orbit = 0; orbit < chain->model.orbit_states; orbit++) {
            result[(size_t)queue * chain->model.orbit_states + orbit] =
                values[index_of(chain, queue, orbit)];
        }
    }
}

static double *hitting_times(const struct chain *chain, struct chain_set target)
{
    bool *is_target = mark(chain, target);
    struct elimination work;
    elimination_init(&work, chain, is_target);
    double *times = allocate(chain->count, sizeof(double));
    for (uint32_t i = 0; i < chain->count; i++) {
        times[i] = 1;
    }
    solve(&work, times);
    elimination_release(&work);
    free(is_target);
    return times;
}

void chain_hitting_times(const struct chain *chain, struct chain_set target, double *times)
{
    double *found = hitting_times(chain, target);
    export(chain, found, times);
    free(found);
}

double chain_hitting_time_min(const struct chain *chain, struct chain_set from,
                              struct chain_set target)
{
    double *times = hitting_times(chain, target);
    bool *is_source = mark(chain, from);
    double least = INFINITY;
    for (uint32_t i = 0; i < chain->count; i++) {
        least = is_source[i] ? fmin(least, times[i]) : least;
    }
    free(is_source);
    free(times);
    return least;
}

/* In our order of states. States that are never left for lower ones carry no weight. */
static double *stationary(const struct chain *chain)
{
    bool *nothing = allocate(chain->count, sizeof(bool));
    struct elimination work;
    elimination_init(&work, chain, nothing);
    double *law = allocate(chain->count, sizeof(double));
    law[0] = 1;
    double sum = 1;
    for (uint32_t s = 1; s < chain->count; s++) {
        for (uint32_t i = band_low(chain, s); i < s && work.out[s] > 0; i++) {
            law[s] += law[i] * (*rate_at(chain, work.rates, i, s) / work.out[s]);
        }
        sum += law[s];
        if (sum > LARGE) {
            for (uint32_t i = 0; i <= s; i++) {
                law[i] /= LARGE;
            }
            sum /= LARGE;
        }
    }
    for (uint32_t s = 0; s < chain->count; s++) {
        law[s] /= sum;
    }
    elimination_release(&work);
    free(nothing);
    return law;
}

void chain_stationary(const struct chain *chain, double *law)
{
    double *found = stationary(chain);
    export(chain, found, law);
    free(found);
}

/* Subtracts the mean under `law`; returns the deviation under it. */
static double centre(const double *law, double *values, uint32_t count)
{
    double mean = 0;
    for (uint32_t i = 0; i < count; i++) {
        mean += law[i] * values[i];
    }
    double squares = 0;
    for (uint32_t i = 0; i < count; i++) {
        values[i] -= mean;
        squares += law[i] * values[i] * values[i];
    }
    return sqrt(squares);
}

double chain_relaxation_time(const struct chain *chain)
{
    double *law = stationary(chain);
    bool *is_target = allocate(chain->count, sizeof(bool));
    uint32_t likeliest = 0;
    for (uint32_t i = 1; i < chain->count; i++) {
        likeliest = law[i] > law[likeliest] ? i : likeliest;
    }
    is_target[likeliest] = true;
    struct elimination work;
    elimination_init(&work, chain, is_target);
    double *mode = allocate(chain->count, sizeof(double));
    for (uint32_t queue = 0; queue < chain->model.queue_states; queue++) {
        for (uint32_t orbit = 0; orbit < chain->model.orbit_states; orbit++) {
            mode[index_of(chain, queue, orbit)] = queue + 0.5 * orbit;
        }
    }
    double time = NAN;
    double before = NAN;
    double size = centre(law, mode, chain->count);
    for (uint32_t k = 0; k < ITERATIONS && size > 0; k++) {
        for (uint32_t i = 0; i < chain->count; i++) {
            mode[i] /= size;
        }
        solve(&work, mode);
        size = centre(law, mode, chain->count);
        if (fabs(size - before) <= SETTLED * size) {
            time = size;
            break;
        }
        before = size;
    }
    elimination_release(&work);
    free(is_target);
    free(mode);
    free(law);
    return time;
}
