/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Predictions against closed forms, published tables, exact results of queueing theory, and a
 * second solution of the same equations. */
#include "analysis/predict_chain.h"
#include "analysis/predict_fluid.h"
#include "analysis/predict_laws.h"
#include "analysis/predict_mean_field.h"
#include "analysis/predict_text.h"
#include "sim/base/base.h"
#include "tests/unit/harness.h"

#include <math.h>
#include <stdlib.h>

#define PI 3.14159265358979323846

static bool is_near(double left, double right, double tolerance)
{
    return fabs(left - right) <= tolerance * fabs(right);
}

static const struct fluid_trigger freeze = {0, 1, 0};

static struct predict_system server(double capacity, uint32_t servers, double timeout,
                                    uint32_t retries)
{
    return (struct predict_system){.capacity_per_s = capacity,
                                   .servers = servers,
                                   .timeout_s = timeout,
                                   .retries = retries,
                                   .budget = -1};
}

static struct fluid_run outage(const struct predict_system *system, double load, double duration)
{
    return fluid_through(system, load, (struct fluid_trigger){0, 1, duration}, 0);
}

/* -------------------------------------------------------------------------------- mean field */

TEST(predict, saddle_nodes_are_those_of_the_table)
{
    static const double rows[][6] = {
        /* capacity, servers, time-out, retries, hidden, saddle-node */
        {10, 1, .5, 3, 2.5, 5.452},    {10, 1, 1, 3, 2.5, 6.937},    {10, 1, 2, 3, 2.5, 8.080},
        {10, 1, 4, 3, 2.5, 8.851},     {10, 1, 8, 3, 2.5, 9.334},    {10, 1, 16, 3, 2.5, 9.622},
        {10, 1, 3, 4, 2.0, 8.572},     {10, 1, 9, 3, 2.5, 9.395},    {10, 1, .5, 5, 1.66667, 5.439},
        {10, 1, 1, 2, 3.33333, 6.947}, {300, 30, 1, 1, 150, 292.46}, {300, 1, 1, 1, 150, 293.32},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct predict_system system =
            server(rows[i][0], (uint32_t)rows[i][1], rows[i][2], (uint32_t)rows[i][3]);
        CHECK(is_near(mean_field_hidden_capacity(&system), rows[i][4], 1e-5));
        CHECK(is_near(mean_field_saddle_node(&system), rows[i][5], 1e-4));
    }
}

TEST(predict, erlang_c_and_the_tail_of_one_server_are_exact)
{
    CHECK(is_near(mean_field_erlang_c(1, .8), .8, 1e-14));
    CHECK(is_near(mean_field_erlang_c(2, .75), 9.0 / 14, 1e-14));
    struct predict_system system = server(10, 1, .5, 3);
    for (double load = 0; load < 10; load += .7) {
        CHECK(is_near(mean_field_timeout_share(&system, load), exp(-(10 - load) * .5), 1e-12));
    }
    CHECK(mean_field_timeout_share(&system, 10) == 1);
    CHECK(mean_field_timeout_share(&system, 1e9) == 1);
}

TEST(predict, the_tail_of_many_servers_is_continuous_where_its_formula_is_singular)
{
    struct predict_system system = server(300, 30, .2, 1);
    double at = 290; /* spare capacity equals the rate of one server */
    double here = mean_field_timeout_share(&system, at);
    CHECK(is_near(mean_field_timeout_share(&system, at - 1e-7), here, 1e-6));
    CHECK(is_near(mean_field_timeout_share(&system, at + 1e-7), here, 1e-6));
    system = server(1e6, 3, 1000, 1); /* exponents far beyond a double */
    CHECK(mean_field_timeout_share(&system, 9e5) == 0);
}

TEST(predict, a_vulnerable_load_has_three_fixed_points_and_each_solves_the_equation)
{
    struct predict_system system = server(300, 30, 1, 1);
    struct mean_field_root roots[MEAN_FIELD_ROOTS_MAX];
    REQUIRE(mean_field_roots(&system, 280, roots) == 3);
    for (uint32_t i = 0; i < 3; i++) {
        double p = mean_field_timeout_share(&system, roots[i].attempts_per_s);
        CHECK(is_near(280 * (1 + p), roots[i].attempts_per_s, 1e-9));
        CHECK(roots[i].is_stable == (i != 1));
    }
    CHECK(is_near(roots[2].attempts_per_s, 560, 1e-12));
    CHECK(mean_field_roots(&system, 100, roots) == 1);
    CHECK(roots[0].timeout_share < 1e-3);
    CHECK(mean_field_roots(&system, 295, roots) == 1);
    CHECK(roots[0].timeout_share == 1);
}

TEST(predict, roots_meet_just_below_the_saddle_node)
{
    struct predict_system system = server(10, 1, 4, 3);
    struct mean_field_root roots[MEAN_FIELD_ROOTS_MAX];
    double saddle = mean_field_saddle_node(&system);
    CHECK_EQUAL(mean_field_roots(&system, saddle * (1 - 1e-9), roots), 3);
    CHECK_EQUAL(mean_field_roots(&system, saddle * (1 + 1e-9), roots), 1);
}

TEST(predict, loads_are_stable_vulnerable_or_unstable)
{
    struct predict_system system = server(10, 1, .5, 5);
    CHECK_EQUAL(mean_field_class(&system, 1.6), PREDICT_STABLE);
    CHECK_EQUAL(mean_field_class(&system, 1.7), PREDICT_VULNERABLE);
    CHECK_EQUAL(mean_field_class(&system, 5.4), PREDICT_VULNERABLE);
    /* Published demonstrations of metastability that need no trigger. */
    CHECK_EQUAL(mean_field_class(&system, 9), PREDICT_UNSTABLE);
    system = server(10, 1, 4, 3);
    CHECK_EQUAL(mean_field_class(&system, 9.3), PREDICT_UNSTABLE);
    system = server(10, 1, 3, 4);
    CHECK_EQUAL(mean_field_class(&system, 9.5), PREDICT_UNSTABLE);
    CHECK_TEXT(predict_class_name(PREDICT_UNSTABLE), "unstable");
}

TEST(predict, budgets_short_queues_and_constant_service_move_the_limits)
{
    struct predict_system system = server(300, 1, 1, 9);
    system.budget = .1;
    CHECK(is_near(mean_field_hidden_capacity(&system), 300 / 1.1, 1e-12));
    CHECK(mean_field_saddle_node(&system) >= 300 / 1.1);
    system.budget = 100; /* does not bind */
    CHECK(is_near(mean_field_hidden_capacity(&system), 30, 1e-12));
    system.budget = -1;
    system.queue_limit = 300;
    CHECK(mean_field_hidden_capacity(&system) == 300);
    system.queue_limit = 301;
    CHECK(mean_field_hidden_capacity(&system) == 30);
    system.service = PREDICT_CONSTANT;
    CHECK(mean_field_saddle_node(&system) == 300);
    system.timeout_s = 1e-3; /* shorter than one service */
    system.queue_limit = 0;
    CHECK(mean_field_saddle_node(&system) == 0);
    CHECK_EQUAL(mean_field_class(&system, 1), PREDICT_UNSTABLE);
}

TEST(predict, systems_out_of_range_are_refused)
{
    struct predict_system good = server(300, 1, 1, 1);
    CHECK(predict_system_is_valid(&good));
    struct predict_system bad[] = {good, good, good, good, good, good, good};
    bad[0].capacity_per_s = 0;
    bad[1].servers = 0;
    bad[2].timeout_s = NAN;
    bad[3].retries = PREDICT_RETRIES_MAX + 1;
    bad[4].queue_limit = -1;
    bad[5].retry_delay_s = INFINITY;
    bad[6].budget = NAN;
    for (uint32_t i = 0; i < ARRAY_COUNT(bad); i++) {
        CHECK(!predict_system_is_valid(&bad[i]));
    }
}

/* ------------------------------------------------------------------------------------- fluid */

TEST(predict, the_tipping_outage_with_one_retry_is_the_closed_form)
{
    struct predict_system system = server(300, 1, 1, 1);
    for (double load = .52; load < .96; load += .01) {
        double found = fluid_tipping_duration(&system, 300 * load, freeze, 0);
        CHECK(is_near(found, law_tipping_freeze(load), 1e-8));
    }
    CHECK(is_near(law_tipping_freeze(8.0 / 15), 1.4585, 1e-4));
    CHECK(is_near(law_tipping_freeze(14.0 / 15), 1.0051, 1e-4));
}

TEST(predict, tipping_outages_are_those_of_the_table)
{
    /* Of time-outs, at utilisations .25, .30, ... .95; made with steps of a thousandth. */
    static const double rows[4][15] = {
        {0, 0, 0, 0, 0, 1.50, 1.432, 1.343, 1.250, 1.170, 1.107, 1.061, 1.031, 1.012, 1.003},
        {0, 0, 1.946, 1.770, 1.612, 1.500, 1.408, 1.312, 1.225, 1.154, 1.100, 1.059, 1.030, 1.012,
         1.003},
        {2.498, 2.184, 1.940, 1.756, 1.605, 1.500, 1.406, 1.310, 1.224, 1.154, 1.100, 1.059, 1.030,
         1.012, 1.003},
        {2.498, 2.178, 1.938, 1.754, 1.604, 1.500, 1.406, 1.310, 1.224, 1.154, 1.100, 1.059, 1.030,
         1.012, 1.003},
    };
    for (uint32_t retries = 1; retries <= 4; retries++) {
        struct predict_system system = server(1000, 1, 3, retries);
        for (uint32_t i = 0; i < 15; i++) {
            double load = 1000 * (.25 + .05 * i);
            double found = fluid_tipping_duration(&system, load, freeze, 0) / 3;
            double wanted = rows[retries - 1][i];
            CHECK(wanted > 0 ? fabs(found - wanted) <= .0025 : isinf(found));
        }
    }
}

TEST(predict, recovery_takes_as_long_as_the_closed_form_says)
{
    static const double rows[][3] = {{120, 10, 33}, {135, 20, 165.5}, {142.5, 20, 350.5}};
    struct predict_system system = server(300, 1, 1, 1);
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct fluid_run run = outage(&system, rows[i][0], rows[i][1]);
        CHECK_EQUAL(run.end, FLUID_RECOVERED);
        CHECK(is_near(run.late_until_s, rows[i][2], 1e-6));
        CHECK(is_near(law_recovery_time(rows[i][0] / 300, 1, rows[i][1]), rows[i][2], 1e-9));
        CHECK(run.empty_at_s > run.late_until_s);
        CHECK(is_near(run.amplification_max, 2, 1e-9));
    }
    CHECK(isinf(law_recovery_time(.5, 1, 10)));
    CHECK(isnan(law_recovery_time(.4, 1, .5)));
}

TEST(predict, hidden_capacity_is_the_load_from_which_an_outage_sticks)
{
    for (uint32_t retries = 1; retries <= 9; retries++) {
        struct predict_system system = server(300, 1, 1, retries);
        double hidden = mean_field_hidden_capacity(&system);
        CHECK_EQUAL(outage(&system, hidden * .999, 20).end, FLUID_RECOVERED);
        CHECK_EQUAL(outage(&system, hidden * 1.001, 20).end, FLUID_STUCK);
    }
    static const double budgets[] = {.05, .1, .2, .5};
    for (uint32_t i = 0; i < ARRAY_COUNT(budgets); i++) {
        struct predict_system system = server(300, 1, 1, 9);
        system.budget = budgets[i];
        double hidden = mean_field_hidden_capacity(&system);
        CHECK_EQUAL(outage(&system, hidden - 2, 10).end, FLUID_RECOVERED);
        CHECK_EQUAL(outage(&system, hidden + 2, 10).end, FLUID_STUCK);
    }
}

TEST(predict, a_queue_of_one_time_out_of_work_recovers_and_one_more_does_not)
{
    struct predict_system system = server(300, 1, 1, 1);
    system.queue_limit = 300;
    CHECK_EQUAL(outage(&system, 280, 10).end, FLUID_RECOVERED);
    system.queue_limit = 301;
    CHECK_EQUAL(outage(&system, 280, 10).end, FLUID_STUCK);
    CHECK_EQUAL(law_queue_bound(300, 1), 300);
}

TEST(predict, the_four_panels_of_a_cpu_squeeze_recover_stick_recover_recover)
{
    /* OSDI'22, figure 5: capacity factor, seconds, load factor; time-out 3 s, four retries. */
    static const double panels[4][3] = {{.225, 10, 1}, {.2, 10, 1}, {.2, 9, 1}, {.2, 10, .75}};
    struct predict_system system = server(6670 / .38, 2, 3, 4);
    for (uint32_t i = 0; i < 4; i++) {
        struct fluid_trigger trigger = {panels[i][0], 1, panels[i][1]};
        struct fluid_run run = fluid_through(&system, 6670 * panels[i][2], trigger, 0);
        CHECK_EQUAL(run.end, i == 1 ? FLUID_STUCK : FLUID_RECOVERED);
    }
    double tipping = fluid_tipping_duration(&system, 6670, (struct fluid_trigger){.2, 1, 0}, 0);
    CHECK(tipping > 9);
    CHECK(tipping < 10);
}

TEST(predict, spikes_stick_too_and_a_delay_before_the_retry_asks_for_longer_ones)
{
    struct predict_system system = server(300, 1, 1, 1);
    struct fluid_trigger spike = {1, 3, 0};
    double tipping = fluid_tipping_duration(&system, 240, spike, 0);
    CHECK(tipping > .3);
    CHECK(tipping < 3);
    CHECK(isinf(fluid_tipping_duration(&system, 140, spike, 0)));
    double at_once = fluid_tipping_duration(&system, 200, freeze, 0);
    system.retry_delay_s = .2;
    CHECK(fluid_tipping_duration(&system, 200, freeze, 0) > at_once);
}

TEST(predict, without_trigger_or_retries_nothing_sticks)
{
    struct predict_system system = server(300, 1, 1, 1);
    struct fluid_run run = outage(&system, 280, 0);
    CHECK_EQUAL(run.end, FLUID_RECOVERED);
    CHECK(run.late_until_s == 0);
    CHECK(run.queue_max == 0);
    system.retries = 0;
    run = outage(&system, 200, 10);
    CHECK_EQUAL(run.end, FLUID_RECOVERED);
    CHECK(is_near(run.queue_max, 2000, 1e-9));
    CHECK(is_near(run.empty_at_s, 20, 1e-9));
    CHECK(is_near(run.late_until_s, 17, 1e-9));
    CHECK(isinf(fluid_tipping_duration(&system, 299, freeze, 0)));
    CHECK_EQUAL(outage(&system, 310, 0).end, FLUID_STUCK);
}

TEST(predict, saved_up_tokens_only_lengthen_the_recovery)
{
    struct predict_system system = server(300, 1, 1, 3);
    system.budget = .1;
    struct fluid_trigger trigger = {0, 1, 10};
    struct fluid_run without = fluid_through(&system, 260, trigger, 0);
    struct fluid_run with = fluid_through(&system, 260, trigger, 500);
    CHECK_EQUAL(without.end, FLUID_RECOVERED);
    CHECK_EQUAL(with.end, FLUID_RECOVERED);
    CHECK(with.late_until_s > without.late_until_s + 20);
    CHECK(is_near(without.amplification_max, 1.1, 1e-9));
}

/* The same equations in small steps, written down as they stand: an independent solution. */
#define STEPS       500 /* of a time-out, which is 1 s here */
#define HORIZON_MAX 60

struct stepped {
    double late[5][HORIZON_MAX * STEPS];
    double late_until_s;
    double queue_max;
    bool is_stuck;
};

static double step_retries(struct stepped *run, const struct predict_system *system, uint32_t now,
                           double tokens, double *rate)
{
    double wanted = 0;
    uint32_t delay = (uint32_t)lround((system->timeout_s + system->retry_delay_s) * STEPS);
    for (uint32_t k = 1; k <= system->retries; k++) {
        rate[k] = now >= delay ? run->late[k - 1][now - delay] : 0;
        wanted += rate[k];
    }
    if (system->budget >= 0 && wanted > tokens * STEPS) {
        for (uint32_t k = 1; k <= system->retries; k++) {
            rate[k] *= tokens * STEPS / wanted;
        }
        wanted = tokens * STEPS;
    }
    return wanted;
}

static void step_through(struct stepped *run, const struct predict_system *system, double load,
                         struct fluid_trigger trigger, double burst)
{
    double queue = 0;
    double tokens = burst;
    uint32_t count = HORIZON_MAX * STEPS;
    uint32_t late_last = 0;
    run->queue_max = 0;
    for (uint32_t i = 0; i < count; i++) {
        double now = (double)i / STEPS;
        bool is_during = now < trigger.duration_s;
        double capacity = system->capacity_per_s * (is_during ? trigger.capacity_factor : 1);
        double rate[5] = {load * (is_during ? trigger.load_factor : 1)};
        tokens += system->budget * rate[0] / STEPS;
        double again = step_retries(run, system, i, tokens, rate);
        tokens = fmin(burst, tokens - again / STEPS);
        double inside = fmin(fmax(trigger.duration_s - now, 0), 1);
        double ahead = system->capacity_per_s * (inside * trigger.capacity_factor + (1 - inside));
        double arrivals = rate[0] + again;
        bool is_late = queue > ahead * (1 + 1e-9);
        queue = fmax(0, queue + (arrivals - capacity) / STEPS);
        double lost = 0;
        if (system->queue_limit > 0 && queue > system->queue_limit) {
            lost = (queue - system->queue_limit) * STEPS / arrivals;
            queue = system->queue_limit;
        }
        double share = is_late ? 1 : lost;
        for (uint32_t k = 0; k < system->retries; k++) {
            run->late[k][i] = rate[k] * share;
        }
        run->queue_max = fmax(run->queue_max, queue);
        late_last = share > 1e-6 ? i + 1 : late_last;
    }
    run->late_until_s = fmax(0, (double)late_last / STEPS - trigger.duration_s);
    run->is_stuck = late_last > count - 5 * STEPS;
}

static double draw(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 40) / (double)(1 << 24);
}

TEST(predict, events_and_small_steps_solve_the_same_equations_alike)
{
    struct stepped *run = malloc(sizeof(*run));
    uint64_t state = 1;
    uint32_t stuck = 0;
    for (uint32_t i = 0; i < 150; i++) {
        struct predict_system system = server(100, 1, 1, (uint32_t)(draw(&state) * 5));
        system.budget = draw(&state) < .3 ? draw(&state) * .5 : -1;
        system.queue_limit = draw(&state) < .4 ? 20 + floor(draw(&state) * 400) : 0;
        system.retry_delay_s = draw(&state) < .3 ? draw(&state) : 0;
        double burst = system.budget >= 0 ? draw(&state) * 100 : 0;
        double load = 5 + 85 * draw(&state);
        struct fluid_trigger trigger = {0, 1, .1 + draw(&state) * 3};
        trigger.capacity_factor = i % 3 == 0 ? 0 : i % 3 == 1 ? draw(&state) : 1;
        trigger.load_factor = i % 3 == 2 ? 1 + 3 * draw(&state) : 1;
        struct fluid_run exact = fluid_through(&system, load, trigger, burst);
        CHECK(exact.end != FLUID_UNDECIDED);
        stuck += exact.end == FLUID_STUCK ? 1 : 0;
        step_through(run, &system, load, trigger, burst);
        if (exact.end == FLUID_STUCK) {
            CHECK(run->is_stuck);
        } else if (exact.late_until_s < HORIZON_MAX - 20) {
            CHECK(fabs(run->late_until_s - exact.late_until_s) < .05 + .03 * exact.late_until_s);
            CHECK(fabs(run->queue_max - exact.queue_max) < 2 + .02 * exact.queue_max);
        }
    }
    CHECK(stuck > 10);
    CHECK(stuck < 100);
    free(run);
}

/* ------------------------------------------------------------------------------------- chain */

static struct chain *chain_of(const struct chain_model *model)
{
    struct chain *chain = NULL;
    struct err err = {0};
    CHECK(chain_new(model, &chain, &err));
    return chain;
}

static const struct chain_model metafor = {9.5, 10, 1, 3, 4, 100, 20, .25, CHAIN_TAIL_CHEBYSHEV};

TEST(predict, hitting_times_of_metafors_example_are_exact_where_lu_is_not)
{
    struct chain *chain = chain_of(&metafor);
    struct chain_set low = {0, 29, 0, 19};
    struct chain_set high = {90, 99, 0, 19};
    /* Its README: 10.9206 s and, by LU, 3.3132e11 s. */
    CHECK(is_near(chain_hitting_time_min(chain, low, high), 10.9206, 1e-5));
    CHECK(is_near(chain_hitting_time_min(chain, high, low), 3.3132e11, 1e-3));
    /* By LU between 7.0e13 and 9.1e13; with 113 bits: */
    double times[2000];
    chain_hitting_times(chain, (struct chain_set){0, 0, 0, 0}, times);
    CHECK(is_near(times[1999], 8.54124088e13, 1e-8));
    CHECK(times[0] == 0);
    chain_hitting_times(chain, (struct chain_set){0, 0, 0, 19}, times);
    CHECK(is_near(times[1999], 7.63153448e13, 1e-8));
    chain_free(chain);
}

static double hitting_time(double load, bool is_draining)
{
    struct chain_model model = {load, 10, 1, 4, 3, 100, 40, 1, CHAIN_TAIL_EXACT};
    struct chain *chain = chain_of(&model);
    double *times = calloc(4000, sizeof(double));
    struct chain_set target = {90, 99, 0, 39};
    struct chain_set empty = {0, 0, 0, 0};
    chain_hitting_times(chain, is_draining ? empty : target, times);
    double time = is_draining ? times[3999] : times[0];
    free(times);
    chain_free(chain);
    return time;
}

TEST(predict, tipping_and_draining_times_are_those_of_the_table)
{
    static const double draining[][2] = {{2, 92.8},    {2.4, 396}, {2.6, 1153}, {3, 1.47e4},
                                         {3.5, 5.0e5}, {4, 2.0e7}, {5, 3.2e10}};
    static const double tipping[][2] = {{7, 4.6e5}, {8, 6532}, {8.5, 1251},
                                        {8.8, 546}, {9, 336},  {9.3, 180}};
    for (uint32_t i = 0; i < ARRAY_COUNT(draining);
         i++) { /* rounded to two or three digits there */
        CHECK(is_near(hitting_time(draining[i][0], true), draining[i][1], i < 3 ? .002 : .015));
    }
    for (uint32_t i = 0; i < ARRAY_COUNT(tipping); i++) {
        CHECK(is_near(hitting_time(tipping[i][0], false), tipping[i][1], i == 0 ? .01 : .002));
    }
}

TEST(predict, times_stay_positive_and_ordered_far_beyond_lu)
{
    struct chain_model model = {9.5, 10, 1, 1, 9, 150, 60, 1, CHAIN_TAIL_EXACT};
    struct chain *chain = chain_of(&model);
    double *times = calloc(150 * 60, sizeof(double));
    chain_hitting_times(chain, (struct chain_set){0, 0, 0, 59}, times);
    CHECK(times[149 * 60] > 1e20);
    for (uint32_t queue = 1; queue < 150; queue++) {
        CHECK(times[queue * 60] >= times[(queue - 1) * 60] * (1 - 1e-12));
    }
    free(times);
    chain_free(chain);
}

TEST(predict, a_chain_without_orbit_is_a_birth_and_death_process)
{
    struct chain_model model = {8, 10, 1, 1e9, 0, 30, 1, 1, CHAIN_TAIL_EXACT};
    struct chain *chain = chain_of(&model);
    double law[30];
    chain_stationary(chain, law);
    for (uint32_t i = 1; i < 30; i++) {
        CHECK(is_near(law[i], law[i - 1] * .8, 1e-12));
    }
    double exact = 1 / (18 - 2 * sqrt(80) * cos(PI / 30));
    CHECK(is_near(chain_relaxation_time(chain), exact, 1e-6));
    double times[30];
    chain_hitting_times(chain, (struct chain_set){0, 0, 0, 0}, times);
    double mean = 0; /* from 1 to 0: sum of .8^k / 10 over the states above 0 */
    for (uint32_t i = 0; i < 29; i++) {
        mean += pow(.8, i) / 10;
    }
    CHECK(is_near(times[1], mean, 1e-12));
    chain_free(chain);
}

TEST(predict, the_stationary_law_sums_to_one_and_the_tail_of_many_servers_is_theirs)
{
    struct chain_model model = {4, 2, 3, 2, 2, 20, 40, 1, CHAIN_TAIL_EXACT}; /* queue is minor */
    struct chain *chain = chain_of(&model);
    double *law = calloc(800, sizeof(double));
    chain_stationary(chain, law);
    double sum = 0;
    for (uint32_t i = 0; i < 800; i++) {
        CHECK(law[i] >= 0);
        sum += law[i];
    }
    CHECK(is_near(sum, 1, 1e-12));
    /* What enters the server leaves it: below a full queue, q rises as often as it falls. */
    double falls = 0;
    double rises = 0;
    for (uint32_t o = 0; o < 40; o++) {
        falls += law[40 + o] * 2;
        rises += law[o] * (4 + o * 2 / (3.0 * 2));
    }
    CHECK(is_near(rises, falls, 1e-9));
    free(law);
    chain_free(chain);
}

TEST(predict, chains_that_are_too_large_or_senseless_are_refused)
{
    struct chain *chain = NULL;
    struct err err = {0};
    struct chain_model model = metafor;
    model.queue_states = 100000;
    model.orbit_states = 100000;
    CHECK(!chain_new(&model, &chain, &err));
    CHECK(strstr(err.text, "too large") != NULL);
    model = metafor;
    model.load_per_s = 0;
    CHECK(!chain_new(&model, &chain, &err));
    CHECK_EQUAL(err.code, ERR_INPUT);
    CHECK(chain == NULL);
    chain_free(NULL);
}

/* -------------------------------------------------------------------------------------- laws */

/* Rounds of a batch, one worker, whole seconds: is everything done in the end? */
static bool batch_drains(uint32_t items, uint32_t timeout)
{
    uint32_t left = items;
    uint64_t free_at = 0; /* when the worker has done all that is queued */
    for (uint32_t round = 0; round < 50 && left > 0; round++) {
        uint64_t begin = (uint64_t)round * timeout;
        uint64_t start = free_at > begin ? free_at : begin;
        uint64_t deadline = begin + timeout;
        uint32_t done = deadline > start ? (uint32_t)(deadline - start) : 0;
        free_at = start + left;
        left -= done > left ? left : done;
    }
    return left == 0;
}

TEST(predict, a_batch_collapses_from_two_time_outs_of_work_on)
{
    struct law_batch batch = {1200, 1, 1, 600};
    CHECK(law_batch_collapses(batch));
    CHECK_EQUAL(law_batch_items_max(batch), 1199);
    CHECK(!batch_drains(1200, 600));
    CHECK(batch_drains(1199, 600));
    batch.items = 1199;
    CHECK(!law_batch_collapses(batch));
    batch = (struct law_batch){1200, .01, 2, 3};
    CHECK(law_batch_collapses(batch));
    CHECK(is_near(law_batch_work(batch), 6, 1e-12));
    CHECK(is_near(law_batch_ramp(batch), 3, 1e-12));
    CHECK(is_near(law_batch_jitter(batch), 6, 1e-12));
    batch.workers = 0;
    CHECK(isnan(law_batch_work(batch)));
    CHECK(isnan(law_batch_items_max(batch)));
}

TEST(predict, collections_leave_less_the_more_is_in_memory)
{
    struct law_gc gc = {170, .00069, .38, .00053};
    /* Between two collections seventy requests: seventy services, and one collection. */
    CHECK(is_near(law_gc_capacity(gc, 100), 70 / (70 * .00069 + .433), 1e-12));
    CHECK(is_near(law_gc_share(gc, 100, 1000), .433 / (70 * .00069 + .433), 1e-12));
    CHECK(is_near(law_gc_share(gc, 22, 220), 220 * (.38 + 22 * .00053) / 148, 1e-12));
    CHECK(law_gc_capacity(gc, 170) == 0);
    CHECK(law_gc_share(gc, 170, 1) == 1);
    for (double load = 150; load < 340; load += 10) {
        CHECK(is_near(law_gc_capacity(gc, law_gc_live_max(gc, load)), load, 1e-9));
    }
    CHECK(law_gc_live_max(gc, 140) > 100);
    CHECK(law_gc_live_max(gc, 400) < 0);
    CHECK(law_gc_live_max(gc, 1 / .0006) == -INFINITY);
    CHECK(isnan(law_gc_live_max(gc, 0)));
    CHECK(isnan(law_gc_capacity(gc, -1)));
    CHECK(isnan(law_gc_share(gc, 1, -1)));
    gc.service_s = 0;
    CHECK(isnan(law_gc_capacity(gc, 1)));
    CHECK(isnan(law_gc_share(gc, 1, 1)));
    CHECK(isnan(law_gc_live_max(gc, 1)));
}

TEST(predict, a_costly_error_path_has_two_states_and_a_cheap_one_bends)
{
    CHECK(law_error_path_hidden(300, 3) == 100);
    CHECK(law_error_path_hidden(300, .5) == 300);
    CHECK(law_error_path_goodput(300, .5, 300) == 300);
    CHECK(is_near(law_error_path_goodput(300, .5, 450), 150, 1e-12));
    CHECK(law_error_path_goodput(300, .5, 600) == 0);
    CHECK(law_error_path_goodput(300, 3, 99) == 99);
    CHECK(law_error_path_goodput(300, 3, 101) == 0);
    CHECK(isnan(law_error_path_goodput(0, 3, 101)));
}

TEST(predict, caches_and_full_copies_have_their_limits)
{
    CHECK(is_near(law_cache_advertised(300, .9, 1), 3000, 1e-12));
    CHECK(law_cache_hidden(300, 1) == 300);
    CHECK(law_cache_hidden(300, 100) == 3);
    CHECK(isnan(law_cache_advertised(300, 1, 1)));
    struct law_resync copy = {8e9, 120e6, 200e6, 100e6, 256e6, 64e6, 60};
    CHECK(is_near(law_resync_time(copy), 187, .002));
    CHECK(is_near(law_resync_writes_max(copy), .505e6, .001));
    copy.hard_bytes = 1024e6;
    copy.soft_bytes = 512e6;
    CHECK(is_near(law_resync_writes_max(copy), 4.04e6, .001));
    copy.state_bytes = 32e9;
    CHECK(is_near(law_resync_writes_max(copy), .746e6, .001));
    copy.hard_bytes = 256e6;
    copy.soft_bytes = 64e6;
    CHECK(is_near(law_resync_writes_max(copy), .0932e6, .002));
    copy.send_per_s = 0;
    CHECK(isnan(law_resync_writes_max(copy)));
}

TEST(predict, one_percent_of_overload_becomes_nearly_three_times_the_load)
{
    CHECK(is_near(law_offered_load(10100, 10000, 2), 11105, 1e-4));
    CHECK(is_near(law_offered_load(10100, 10000, 3), 12734, 1e-4));
    CHECK(is_near(law_offered_load(10100, 10000, 4), 14608, 1e-4));
    CHECK(is_near(law_offered_load(10100, 10000, 10), 27051, 1e-4));
    CHECK(law_offered_load(9000, 10000, 10) == 9000);
    CHECK(is_near(law_erlang_b(1000, 5095), .8038, 1e-4));
}

/* -------------------------------------------------------------------------------------- text */

TEST(predict, times_that_pretend_to_know_are_not_printed)
{
    char out[32];
    CHECK_TEXT(predict_format_time(7e13, out, sizeof(out)), ">1e12s");
    CHECK_TEXT(predict_format_time(INFINITY, out, sizeof(out)), "never");
    CHECK_TEXT(predict_format_time(NAN, out, sizeof(out)), "unknown");
    CHECK_TEXT(predict_format_time(1.5, out, sizeof(out)), "1.5s");
    CHECK_TEXT(predict_format_time(.1, out, sizeof(out)), "100ms");
    CHECK_TEXT(predict_format_time(0, out, sizeof(out)), "0s");
}

TEST(predict, the_text_names_class_limits_and_what_does_not_hold)
{
    struct predict_request request = {.system = server(10, 1, 1, 3), .load_per_s = 6.5};
    request.trigger = (struct fluid_trigger){0, 1, 10};
    struct text text;
    text_init(&text);
    predict_text_add(&text, &request);
    CHECK(strstr(text_of(&text), "2.50/s") != NULL);
    CHECK(strstr(text_of(&text), "6.94/s") != NULL);
    CHECK(strstr(text_of(&text), "vulnerable") != NULL);
    CHECK(strstr(text_of(&text), "separatrix") != NULL);
    CHECK(strstr(text_of(&text), "stuck") != NULL);
    CHECK(strstr(text_of(&text), "healthy to full") != NULL);
    CHECK(strstr(text_of(&text), "not short against it") != NULL);
    CHECK(strstr(text_of(&text), "the queue has no limit") != NULL);
    CHECK(strstr(text_of(&text), "with own service") != NULL);
    text_clear(&text);
    request.load_per_s = 0;
    predict_text_add(&text, &request);
    CHECK(strstr(text_of(&text), "tipping duration") != NULL);
    text_release(&text);
}
