/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The fixed points are found on the curve g(x) = x / (1 + p(x) + ... + p(x)^R): a fresh load L has
 * a fixed point wherever g(x) = L, a stable one where g rises and a separatrix where it falls, and
 * the highest value of g is the saddle-node. So one scan of g over a grid, finer towards the
 * capacity, brackets every root for Brent's method, and brackets the maximum for Brent's minimiser.
 * Two roots that lie between neighbours of the grid would be missed, except at the maximum itself,
 * which is added to the grid. Where GSL gives up (it should not, on a bracket), the best point of
 * the bracket so far is the answer: its error is at most the step of the grid.
 *
 * The stuck fixed point lies above the capacity, where every attempt times out: x = (R + 1) L. It
 * exists as soon as that is at least the capacity.
 *
 * A budget b caps the amplification at 1 + b: the mean over time that a token bucket enforces. Its
 * burst only matters for how long a trigger must last.
 *
 * What the mean field does not know: fluctuations (a small system tips before the saddle-node), the
 * correlation between an attempt's time-out and that of the next, and delays before retries. */
#include "analysis/predict_mean_field.h"

#include "sim/base/base.h"

#include <gsl/gsl_errno.h>
#include <gsl/gsl_min.h>
#include <gsl/gsl_roots.h>
#include <math.h>

#define GRID       2048
#define ITERATIONS 200
#define PRECISION  1e-12

bool predict_system_is_valid(const struct predict_system *system)
{
    return isfinite(system->capacity_per_s) && system->capacity_per_s > 0 && system->servers >= 1 &&
           system->servers <= PREDICT_SERVERS_MAX && isfinite(system->timeout_s) &&
           system->timeout_s > 0 && system->retries <= PREDICT_RETRIES_MAX &&
           !isnan(system->budget) && isfinite(system->queue_limit) && system->queue_limit >= 0 &&
           isfinite(system->retry_delay_s) && system->retry_delay_s >= 0;
}

double mean_field_erlang_c(uint32_t servers, double load)
{
    ASSERT(servers >= 1);
    ASSERT(load >= 0);
    ASSERT(load < 1);
    double offered = load * servers;
    double blocked = 1; /* Erlang B by its recursion: every step a quotient of sums */
    for (uint32_t k = 1; k <= servers; k++) {
        blocked = offered * blocked / (k + offered * blocked);
    }
    return blocked / (1 - load * (1 - blocked));
}

/* Nothing can be answered in time, however little there is. */
static bool is_hopeless(const struct predict_system *system)
{
    return system->service == PREDICT_CONSTANT &&
           system->servers > system->capacity_per_s * system->timeout_s;
}

double mean_field_timeout_share(const struct predict_system *system, double attempts_per_s)
{
    ASSERT(attempts_per_s >= 0);
    if (attempts_per_s >= system->capacity_per_s) {
        return 1;
    }
    double timeout = system->timeout_s;
    double service = system->capacity_per_s / system->servers; /* rate of one server */
    if (system->service == PREDICT_CONSTANT) {
        return is_hopeless(system) ? 1 : 0;
    }
    double spare = system->capacity_per_s - attempts_per_s;
    double waits = mean_field_erlang_c(system->servers, attempts_per_s / system->capacity_per_s);
    /* (exp(-spare T) - exp(-service T)) / (service - spare), without cancellation or overflow. */
    double slower = fmin(spare, service);
    double apart = fabs(service - spare);
    double span = apart * timeout > 1e-300 ? -expm1(-apart * timeout) / apart : timeout;
    double share = exp(-service * timeout) + waits * service * exp(-slower * timeout) * span;
    return fmin(1, share);
}

double mean_field_amplification(const struct predict_system *system, double p)
{
    ASSERT(p >= 0);
    ASSERT(p <= 1);
    double sum = 0;
    double power = 1;
    for (uint32_t k = 1; k <= system->retries; k++) {
        power *= p;
        sum += power;
    }
    return 1 + (system->budget >= 0 ? fmin(system->budget, sum) : sum);
}

/* Lateness needs a queue longer than the server works off in one time-out. */
static bool is_queue_too_short(const struct predict_system *system)
{
    return system->queue_limit > 0 &&
           system->queue_limit <= system->capacity_per_s * system->timeout_s;
}

double mean_field_hidden_capacity(const struct predict_system *system)
{
    if (is_hopeless(system)) {
        return 0;
    }
    if (is_queue_too_short(system)) {
        return system->capacity_per_s;
    }
    return system->capacity_per_s / mean_field_amplification(system, 1);
}

/* The fresh load for which `attempts_per_s` is a fixed point. */
static double fresh_load(const struct predict_system *system, double attempts_per_s)
{
    double p = mean_field_timeout_share(system, attempts_per_s);
    return attempts_per_s / mean_field_amplification(system, p);
}

/* Points of the grid: 0 .. capacity, quadratically closer together towards the capacity. */
static double grid_point(const struct predict_system *system, uint32_t i)
{
    double left = 1 - (double)i / GRID;
    return i == GRID ? system->capacity_per_s : system->capacity_per_s * (1 - left * left);
}

static double negated_load(double attempts_per_s, void *user)
{
    return -fresh_load(user, attempts_per_s);
}

/* The maximum of fresh_load between the grid's neighbours of point `i`. */
static double refine_maximum(struct predict_system *system, uint32_t i)
{
    double best = grid_point(system, i);
    gsl_function function = {.function = negated_load, .params = system};
    gsl_set_error_handler_off();
    gsl_min_fminimizer *minimiser = gsl_min_fminimizer_alloc(gsl_min_fminimizer_brent);
    ASSERT(minimiser != NULL);
    int status = gsl_min_fminimizer_set(minimiser, &function, best, grid_point(system, i - 1),
                                        grid_point(system, i + 1));
    for (int k = 0; k < ITERATIONS && status == GSL_SUCCESS; k++) {
        status = gsl_min_fminimizer_iterate(minimiser);
        double low = gsl_min_fminimizer_x_lower(minimiser);
        double high = gsl_min_fminimizer_x_upper(minimiser);
        double x = gsl_min_fminimizer_x_minimum(minimiser);
        best = fresh_load(system, x) > fresh_load(system, best) ? x : best;
        if (gsl_min_test_interval(low, high, 0, 1e-9) == GSL_SUCCESS) {
            break;
        }
    }
    gsl_min_fminimizer_free(minimiser);
    return best;
}

/* Where fresh_load is highest. */
static double find_peak(const struct predict_system *system)
{
    uint32_t best = GRID;
    for (uint32_t i = 1; i < GRID; i++) {
        if (fresh_load(system, grid_point(system, i)) >
            fresh_load(system, grid_point(system, best))) {
            best = i;
        }
    }
    struct predict_system copy = *system;
    return best == GRID ? system->capacity_per_s : refine_maximum(&copy, best);
}

double mean_field_saddle_node(const struct predict_system *system)
{
    ASSERT(predict_system_is_valid(system));
    if (is_hopeless(system)) {
        return 0;
    }
    if (is_queue_too_short(system) || system->service == PREDICT_CONSTANT) {
        return system->capacity_per_s;
    }
    return fresh_load(system, find_peak(system));
}

enum predict_class mean_field_class(const struct predict_system *system, double load_per_s)
{
    ASSERT(load_per_s >= 0);
    if (load_per_s >= mean_field_saddle_node(system)) {
        return PREDICT_UNSTABLE;
    }
    return load_per_s < mean_field_hidden_capacity(system) ? PREDICT_STABLE : PREDICT_VULNERABLE;
}

const char *predict_class_name(enum predict_class class)
{
    switch (class) {
    case PREDICT_STABLE:
        return "stable";
    case PREDICT_VULNERABLE:
        return "vulnerable";
    case PREDICT_UNSTABLE:
        return "unstable";
    }
    UNREACHABLE();
}

struct crossing {
    const struct predict_system *system;
    double load_per_s;
};

static double surplus(double attempts_per_s, void *user)
{
    const struct crossing *crossing = user;
    return fresh_load(crossing->system, attempts_per_s) - crossing->load_per_s;
}

/* The root of surplus in a bracket whose ends differ in sign. */
static double refine_root(struct crossing *crossing, double low, double high)
{
    gsl_function function = {.function = surplus, .params = crossing};
    gsl_set_error_handler_off();
    gsl_root_fsolver *solver = gsl_root_fsolver_alloc(gsl_root_fsolver_brent);
    ASSERT(solver != NULL);
    double root = low + (high - low) / 2;
    int status = gsl_root_fsolver_set(solver, &function, low, high);
    for (int k = 0; k < ITERATIONS && status == GSL_SUCCESS; k++) {
        status = gsl_root_fsolver_iterate(solver);
        root = gsl_root_fsolver_root(solver);
        if (gsl_root_test_interval(gsl_root_fsolver_x_lower(solver),
                                   gsl_root_fsolver_x_upper(solver), 0, PRECISION) == GSL_SUCCESS) {
            break;
        }
    }
    gsl_root_fsolver_free(solver);
    return root;
}

static struct mean_field_root describe(const struct predict_system *system, double load_per_s,
                                       double attempts_per_s, bool is_stable)
{
    double p = mean_field_timeout_share(system, attempts_per_s);
    /* A call fails when its last attempt does; with a budget at most this many attempts are good.
     */
    double good = fmin(load_per_s, attempts_per_s * (1 - p));
    return (struct mean_field_root){attempts_per_s, p, good, is_stable};
}

uint32_t mean_field_roots(const struct predict_system *system, double load_per_s,
                          struct mean_field_root *roots)
{
    ASSERT(predict_system_is_valid(system));
    ASSERT(load_per_s > 0);
    uint32_t count = 0;
    double capacity = system->capacity_per_s;
    double peak = system->service == PREDICT_CONSTANT ? capacity : find_peak(system);
    struct crossing crossing = {system, load_per_s};
    double low = 0;
    for (uint32_t i = 1; i <= GRID && count < MEAN_FIELD_ROOTS_MAX - 1; i++) {
        double next = grid_point(system, i);
        if (i == GRID) {
            next = nextafter(capacity, 0); /* at the capacity itself everything is late */
        }
        double stops[] = {peak > low && peak < next ? peak : next, next};
        for (uint32_t k = 0; k < 2 && count < MEAN_FIELD_ROOTS_MAX - 1; k++) {
            double before = surplus(low, &crossing);
            double after = surplus(stops[k], &crossing);
            if (stops[k] > low && (before < 0) != (after < 0)) {
                double root = refine_root(&crossing, low, stops[k]);
                roots[count++] = describe(system, load_per_s, root, before < 0);
            }
            low = stops[k];
        }
    }
    double stuck = load_per_s * mean_field_amplification(system, 1);
    if (count == 0 || (stuck >= capacity && !is_queue_too_short(system))) {
        roots[count++] = describe(system, load_per_s, fmax(stuck, capacity), true);
    }
    return count;
}
