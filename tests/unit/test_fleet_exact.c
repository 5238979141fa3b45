/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The exact chains against tables that were computed elsewhere, against closed forms, and against
 * each other. Machines live 99 h and are repaired in 1 h unless a test says otherwise. */
#include "analysis/fleet_exact.h"
#include "analysis/markov.h"
#include "sim/base/base.h"
#include "tests/unit/harness.h"

#include <math.h>

static bool is_near(double value, double expected, double relative)
{
    bool is_fine = fabs(value - expected) <= relative * fabs(expected);
    if (!is_fine) {
        printf("  %.9g instead of %.9g\n", value, expected);
    }
    return is_fine;
}

static struct fleet_model fleet(uint32_t machines, uint32_t needed)
{
    return (struct fleet_model){
        .machines = machines, .needed = needed, .fail_per_h = 1.0 / 99, .repair_per_h = 1};
}

static struct fleet_exact solve(struct fleet_model model)
{
    struct fleet_exact exact;
    struct err err = {0};
    CHECK(fleet_exact(&model, &exact, &err));
    return exact;
}

TEST(fleet_exact, any_copy_is_a_power_down_to_twenty_nines)
{
    double power = 1;
    for (uint32_t n = 1; n <= 10; n++) {
        struct fleet_exact exact = solve(fleet(n, 1));
        power /= 100;
        CHECK(is_near(exact.unavailability, power, 1e-12));
        CHECK(is_near(exact.outages_per_h, n * power, 1e-12));
        CHECK(is_near(exact.outage_h, 1.0 / n, 1e-12));
    }
    CHECK(is_near(solve(fleet(3, 1)).mttf_h, 335049, 1e-6));
    CHECK(is_near(solve(fleet(5, 1)).mttf_h, 2.005085e9, 1e-6));
    CHECK(is_near(solve(fleet(10, 1)).mttf_h, 1.001125e19, 1e-6));
}

TEST(fleet_exact, a_majority_has_the_known_table)
{
    static const struct {
        uint32_t machines;
        double unavailability;
        double outages_per_year;
        double outage_h;
        double mttf_h;
    } rows[] = {
        {1, 1e-2, 87.660, 1, 99},
        {2, 1.99e-2, 173.57, 1.00505, 49.5},
        {3, 2.98e-4, 5.2070, .50168, 1716.0},
        {4, 5.9203e-4, 10.310, .50338, 874.5},
        {5, 9.8506e-6, .25775, .33502, 34544.4},
        {6, 1.955359e-5, .51034, .33587, 17539.5},
        {7, 3.416698e-7, 1.1908e-2, .25152, 746328},
        {8, 6.778784e-7, 2.3578e-2, .25203, 378253.1},
        {9, 1.218537e-8, 5.3050e-4, .20135, 1.673714e7},
        {10, 2.416784e-8, 1.0504e-3, .20169, 8.475078e6},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        uint32_t n = rows[i].machines;
        struct fleet_exact exact = solve(fleet(n, fleet_majority(n)));
        CHECK(is_near(exact.unavailability, rows[i].unavailability, 5e-7));
        CHECK(is_near(exact.unavailability, fleet_binomial(n, fleet_majority(n), .01), 1e-10));
        CHECK(is_near(exact.outages_per_h * HOURS_IN_A_YEAR, rows[i].outages_per_year, 1e-4));
        CHECK(is_near(exact.outage_h, rows[i].outage_h, 2e-5));
        CHECK(is_near(exact.mttf_h, rows[i].mttf_h, 1e-4));
    }
}

TEST(fleet_exact, one_repairman_costs_what_the_table_says)
{
    static const struct {
        uint32_t machines;
        double all;
        double majority;
        double outages_per_year; /* of the majority, and so the rest */
        double outage_h;
        double mttf_h;
    } rows[] = {
        {2, 1.9998e-4, 1.9998e-2, 173.55, 1.01010, 49.5},
        {3, 5.998189e-6, 5.998189e-4, 5.2054, 1.01010, 1716.0},
        {5, 1.198777e-8, 5.994483e-5, .51497, 1.02041, 17556.0},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct fleet_model any = fleet(rows[i].machines, 1);
        struct fleet_model majority = fleet(rows[i].machines, fleet_majority(rows[i].machines));
        any.crews = 1;
        majority.crews = 1;
        CHECK(is_near(solve(any).unavailability, rows[i].all, 5e-7));
        CHECK(is_near(solve(majority).unavailability, rows[i].majority, 5e-7));
        CHECK(is_near(solve(majority).mttf_h, rows[i].mttf_h, 1e-4));
        CHECK(is_near(solve(majority).outage_h, rows[i].outage_h, 5e-6));
        CHECK(is_near(solve(majority).outages_per_h * HOURS_IN_A_YEAR, rows[i].outages_per_year,
                      3e-5));
    }
}

/* Time without a leader is the rate at which leaders are lost, or a quorum is regained, times the
 * failover: P(K >= m) + F * (lambda * P(K <= m - 2) + rate of losing the quorum), m the number of
 * machines whose loss is that of the majority. */
TEST(fleet_exact, a_majority_and_its_failovers_add_up)
{
    static const double failover_s[] = {10, 300};
    static const double error[] = {3.5e-5, 1.5e-3};
    for (uint32_t n = 1; n <= 10; n++) {
        const uint32_t lost = n - fleet_majority(n) + 1;
        const double quorum = solve(fleet(n, fleet_majority(n))).unavailability;
        const double losses = solve(fleet(n, fleet_majority(n))).outages_per_h;
        const double spare = lost < 2 ? 0 : 1 - fleet_binomial(n, n - lost + 2, .01);
        for (uint32_t i = 0; i < ARRAY_COUNT(failover_s); i++) {
            struct fleet_model model = fleet(n, fleet_majority(n));
            model.failover_h = failover_s[i] / 3600;
            const double sum = quorum + model.failover_h * (model.fail_per_h * spare + losses);
            CHECK(is_near(solve(model).unavailability, sum, error[i]));
        }
    }
    struct fleet_model many = fleet(15, 8);
    many.failover_h = 10.0 / 3600;
    CHECK(is_near(solve(many).unavailability, 2.806e-5, 1e-3)); /* the floor: lambda * F */
}

TEST(fleet_exact, failover_puts_a_floor_under_the_curve)
{
    static const double failover_s[] = {0, 1, 10, 30, 300};
    static const struct {
        uint32_t machines;
        double unavailability[5];
    } rows[] = {
        {1, {1e-2, 1.000278e-2, 1.002778e-2, 1.008333e-2, 1.083263e-2}},
        {3, {2.98e-4, 3.008875e-4, 3.268734e-4, 3.846105e-4, 1.162850e-3}},
        {5, {9.8506e-6, 1.266184e-5, 3.796227e-5, 9.418039e-5, 8.524529e-4}},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        for (uint32_t f = 0; f < ARRAY_COUNT(failover_s); f++) {
            struct fleet_model model = fleet(rows[i].machines, fleet_majority(rows[i].machines));
            model.failover_h = failover_s[f] / 3600;
            CHECK(is_near(solve(model).unavailability, rows[i].unavailability[f], 1e-6));
        }
    }
}

TEST(fleet_exact, common_shocks_put_a_floor_under_the_curve)
{
    static const double shares[] = {1e-4, 1e-3, 1e-2, .1};
    static const struct {
        uint32_t machines;
        double all[4];
        double majority[4];
    } rows[] = {
        {3,
         {1.3381e-6, 4.3813e-6, 3.4811e-5, 3.3887e-4},
         {2.9879e-4, 3.0594e-4, 3.7740e-4, 1.0931e-3}},
        {5,
         {2.0263e-7, 2.0254e-6, 2.0253e-5, 2.0244e-4},
         {1.0646e-5, 1.7809e-5, 8.9426e-5, 8.0477e-4}},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        for (uint32_t s = 0; s < ARRAY_COUNT(shares); s++) {
            struct fleet_model any = fleet(rows[i].machines, 1);
            struct fleet_model most = fleet(rows[i].machines, fleet_majority(rows[i].machines));
            any.shock_share = shares[s];
            most.shock_share = shares[s];
            CHECK(is_near(solve(any).unavailability, rows[i].all[s], 5e-5));
            CHECK(is_near(solve(most).unavailability, rows[i].majority[s], 5e-5));
        }
    }
}

TEST(fleet_exact, groups_that_are_alike_are_one_state_and_groups_of_one_are_machines_in_series)
{
    /* Three racks with one machine each: available with probability 0.99 * 0.999, independently. */
    struct fleet_model racks = fleet(3, 2);
    racks.groups = 3;
    racks.group_fail_per_h = 1.0 / 999;
    racks.group_repair_per_h = 1;
    struct fleet_exact exact = solve(racks);
    CHECK(is_near(exact.unavailability, fleet_binomial(3, 2, 1 - .99 * .999), 1e-12));
    CHECK_EQUAL(exact.states, 20); /* multisets of 3 out of 4 */
    /* One rack for all: the rack or the majority. */
    racks.groups = 1;
    CHECK(is_near(solve(racks).unavailability, 1 - (1 - 2.98e-4) * .999, 1e-10));
    /* Nine machines in three racks: any rack may go. */
    struct fleet_model nine = fleet(9, 5);
    nine.groups = 3;
    nine.group_fail_per_h = 1.0 / 999;
    nine.group_repair_per_h = 1;
    double sum = 0;
    static const double weights[] = {.997002999, .002994003, 2.997e-6, 1e-9};
    for (uint32_t dark = 0; dark <= 3; dark++) {
        uint32_t left = 9 - 3 * dark;
        sum += weights[dark] * (left >= 5 ? fleet_binomial(left, 5, .01) : 1);
    }
    CHECK(is_near(solve(nine).unavailability, sum, 1e-9));
}

TEST(fleet_exact, transients_have_the_known_table)
{
    static const double hours[] = {.1, .5, 1, 2, 5, 24};
    static const double three[] = {2.767411e-6, 4.704491e-5, 1.207652e-4,
                                   2.243948e-4, 2.942068e-4, 2.980000e-4};
    static const double seven[] = {2.975279e-11, 8.570593e-9, 5.633212e-8,
                                   1.940076e-7,  3.330501e-7, 3.416698e-7};
    struct fleet_transient transient;
    struct err err = {0};
    for (uint32_t i = 0; i < ARRAY_COUNT(hours); i++) {
        struct fleet_model model = fleet(3, 2);
        CHECK(fleet_exact_transient(&model, hours[i], &transient, &err));
        CHECK(is_near(transient.unavailability, three[i], 5e-7));
        model = fleet(7, 4);
        CHECK(fleet_exact_transient(&model, hours[i], &transient, &err));
        CHECK(is_near(transient.unavailability, seven[i], 5e-7));
    }
    struct fleet_model one = fleet(7, 4);
    one.crews = 1;
    CHECK(fleet_exact_transient(&one, 24, &transient, &err));
    CHECK(is_near(transient.unavailability, 8.384301e-6, 5e-7));
    CHECK(fleet_exact_transient(&one, 1, &transient, &err));
    CHECK(is_near(transient.unavailability, 1.599951e-7, 5e-7));
    one = fleet(3, 2);
    one.crews = 1;
    CHECK(fleet_exact_transient(&one, 1, &transient, &err));
    CHECK(is_near(transient.unavailability, 1.596496e-4, 5e-7));
    CHECK(fleet_exact_transient(&one, 24, &transient, &err));
    CHECK(is_near(transient.unavailability, 5.998189e-4, 5e-7));
}

TEST(fleet_exact, a_first_outage_within_months_and_years_has_the_known_table)
{
    static const struct {
        uint32_t machines;
        double month;
        double year;
        double decade;
    } rows[] = {
        {3, .3464787, .9939680, 1},
        {5, .02088413, .2240978, .9209495},
        {7, 9.759107e-4, .01167445, .1108176},
        {9, 4.352222e-5, 5.234860e-4, 5.223640e-3},
    };
    struct fleet_transient transient;
    struct err err = {0};
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct fleet_model model = fleet(rows[i].machines, fleet_majority(rows[i].machines));
        CHECK(fleet_exact_transient(&model, HOURS_IN_A_YEAR / 12, &transient, &err));
        CHECK(is_near(transient.outage_by_then, rows[i].month, 1e-6));
        CHECK(fleet_exact_transient(&model, HOURS_IN_A_YEAR, &transient, &err));
        CHECK(is_near(transient.outage_by_then, rows[i].year, 1e-6));
        CHECK(fleet_exact_transient(&model, 10 * HOURS_IN_A_YEAR, &transient, &err));
        CHECK(is_near(transient.outage_by_then, rows[i].decade, 1e-6));
    }
}

TEST(fleet_exact, correlation_has_the_known_table)
{
    static const double rho[] = {.001, .01, .05, .1, .3};
    static const double all3[] = {1.3164e-6, 5.8912e-6, 6.2050e-5, 2.0710e-4, 1.4335e-3};
    static const double most3[] = {3.2707e-4, 5.8522e-4, 1.6609e-3, 2.8558e-3, 6.3431e-3};
    static const double all5[] = {2.3804e-10, 1.1164e-8, 1.6391e-6, 1.6778e-5, 5.1621e-4};
    static const double most5[] = {1.2909e-5, 5.5522e-5, 4.9538e-4, 1.3717e-3, 5.2429e-3};
    for (uint32_t i = 0; i < ARRAY_COUNT(rho); i++) {
        CHECK(is_near(fleet_beta_binomial(3, 1, .01, rho[i]), all3[i], 5e-5));
        CHECK(is_near(fleet_beta_binomial(3, 2, .01, rho[i]), most3[i], 5e-5));
        CHECK(is_near(fleet_beta_binomial(5, 1, .01, rho[i]), all5[i], 5e-5));
        CHECK(is_near(fleet_beta_binomial(5, 3, .01, rho[i]), most5[i], 5e-5));
    }
    CHECK(is_near(fleet_beta_binomial(5, 3, .01, 0), 9.8506e-6, 1e-6));
}

TEST(fleet_exact, erasure_codes_and_quorums_have_the_known_values)
{
    CHECK(is_near(fleet_binomial(6, 4, .01), 1.955359e-5, 5e-7));
    CHECK(is_near(fleet_binomial(9, 6, .01), 1.210433e-6, 5e-7));
    CHECK(is_near(fleet_binomial(13, 9, .01), 1.203729e-7, 5e-7));
    CHECK(is_near(fleet_binomial(12, 8, .01), 7.469708e-8, 5e-7));
    CHECK(is_near(fleet_binomial(14, 10, .01), 1.856894e-7, 5e-7));
    CHECK(is_near(fleet_binomial(5, 4, .01), 9.801496e-4, 5e-7));
    CHECK(is_near(fleet_binomial(10, 1, .01), 1e-20, 1e-9));
    CHECK(is_near(fleet_binomial(3, 3, .01), 2.9701e-2, 1e-9));
    CHECK(is_near(fleet_binomial(11, 6, .01), 4.425434e-10, 5e-7));
    CHECK(is_near(fleet_binomial(13, 7, .01), 1.627888e-11, 5e-7));
    CHECK(is_near(fleet_binomial(15, 8, .01), 6.045248e-13, 5e-7));
}

TEST(fleet_exact, what_is_out_of_range_or_too_large_is_refused)
{
    struct fleet_exact exact;
    struct err err = {0};
    struct fleet_model model = fleet(3, 4);
    CHECK(!fleet_exact(&model, &exact, &err));
    CHECK_EQUAL(err.code, ERR_INPUT);
    model = fleet(3, 2);
    model.fail_per_h = 0;
    CHECK(!fleet_exact(&model, &exact, &err));
    model = fleet(60, 31);
    model.groups = 12;
    model.group_fail_per_h = 1e-4;
    model.group_repair_per_h = 1;
    CHECK(!fleet_exact(&model, &exact, &err));
    CHECK(strstr(err.text, "states") != NULL);
}

TEST(markov, an_absorbing_chain_takes_for_ever_where_the_target_is_out_of_reach)
{
    struct markov markov;
    markov_init(&markov, 4);
    markov_add(&markov, 0, 1, 2);
    markov_add(&markov, 1, 0, 1);
    markov_add(&markov, 1, 2, 1);
    static const bool is_target[] = {false, false, true, false};
    double times[4];
    markov_hitting(&markov, is_target, times);
    CHECK(is_near(times[0], 2, 1e-12));
    CHECK(is_near(times[1], 1.5, 1e-12));
    CHECK(times[2] == 0);
    CHECK(isinf(times[3]));
    markov_release(&markov);
}

TEST(markov, two_states_relax_as_the_closed_form_says)
{
    struct markov markov;
    markov_init(&markov, 2);
    markov_add(&markov, 0, 1, .3);
    markov_add(&markov, 1, 0, .7);
    double law[2] = {1, 0};
    double later[2];
    markov_transient(&markov, law, 250, later);
    CHECK(is_near(later[1], .3, 1e-12));
    markov_transient(&markov, law, .5, later);
    CHECK(is_near(later[1], .3 * (1 - exp(-.5)), 1e-13));
    markov_stationary(&markov, law);
    CHECK(is_near(law[1], .3, 1e-15));
    markov_release(&markov);
}

/* Ford et al., "Availability in Globally Distributed Storage Systems", OSDI 2010, table 3, the
 * column without correlation: chunks with an MTTF of 123 days and one repair at a time, 8116 times
 * as fast. Their R = 5 and their erasure codes are not such a chain. */
TEST(fleet_exact, stripes_of_ford_et_al_are_repaired_one_at_a_time)
{
    static const double days[] = {4.99e5, 1.35e9, 2.75e12};
    static const double computed[] = {4.993e5, 1.351e9, 2.741e12};
    for (uint32_t copies = 2; copies <= 4; copies++) {
        struct fleet_model model = fleet(copies, 1);
        model.fail_per_h = 1.0 / (123 * 24);
        model.repair_per_h = 8116 * model.fail_per_h;
        model.crews = 1;
        const double mttf_days = solve(model).mttf_h / 24;
        CHECK(is_near(mttf_days, days[copies - 2], 5e-3));
        CHECK(is_near(mttf_days, computed[copies - 2], 5e-4));
    }
}

/* Reads of R and writes of W with R + W > n: what one gains the other loses, and the majority makes
 * the worse of the two as good as can be. */
TEST(fleet_exact, majority_is_the_best_of_the_worse_quorums)
{
    for (uint32_t n = 3; n <= 9; n += 2) {
        const double majority = solve(fleet(n, n / 2 + 1)).unavailability;
        for (uint32_t reads = 1; reads <= n; reads++) {
            const uint32_t writes = n + 1 - reads;
            const double worse =
                fmax(solve(fleet(n, reads)).unavailability, solve(fleet(n, writes)).unavailability);
            CHECK(worse >= majority * (1 - 1e-12));
            CHECK(reads == writes || worse > majority);
        }
    }
    static const double quorums[] = {1e-10, 4.96e-8, 9.8506e-6, 9.801496e-4, 4.900995e-2};
    for (uint32_t q = 1; q <= 5; q++) {
        CHECK(is_near(solve(fleet(5, q)).unavailability, quorums[q - 1], 1e-4));
    }
}

TEST(fleet_exact, states_are_counted_without_solving)
{
    struct fleet_model model = fleet(5, 3);
    CHECK_EQUAL(fleet_exact_states(&model), 6);
    CHECK_EQUAL(fleet_exact_states(&model), solve(model).states);
    model.failover_h = .1;
    CHECK_EQUAL(fleet_exact_states(&model), solve(model).states);
    model.needed = 6;
    CHECK_EQUAL(fleet_exact_states(&model), 0);
    model = (struct fleet_model){.machines = 64,
                                 .needed = 33,
                                 .fail_per_h = .01,
                                 .repair_per_h = 1,
                                 .groups = 16,
                                 .group_fail_per_h = .001,
                                 .group_repair_per_h = 1};
    CHECK_EQUAL(fleet_exact_states(&model), 0); /* too many */
}

/* A time that is reached by doubling is the same as many spans of a short one. */
TEST(markov, doubling_agrees_with_steps)
{
    struct markov markov;
    markov_init(&markov, 3);
    markov_add(&markov, 0, 1, 3e-3);
    markov_add(&markov, 1, 0, 1);
    markov_add(&markov, 1, 2, 2e-3);
    const double start[3] = {1, 0, 0};
    double once[3];
    double steps[3] = {1, 0, 0};
    markov_transient(&markov, start, 10000, once);
    for (uint32_t i = 0; i < 200; i++) {
        markov_transient(&markov, steps, 50, steps);
    }
    for (uint32_t i = 0; i < 3; i++) {
        CHECK(is_near(once[i], steps[i], 1e-10));
    }
    CHECK(is_near(once[0] + once[1] + once[2], 1, 1e-10));
    markov_release(&markov);
}
