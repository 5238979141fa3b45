/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Recovery times of several seeds as one, beside closed form and fluid. */
#include "analysis/recovery.h"
#include "tests/unit/harness.h"

#include <math.h>

static struct predict_request request_of(double load_per_s, double outage_s)
{
    return (struct predict_request){
        .system = {.capacity_per_s = 300, .servers = 1, .timeout_s = 1, .retries = 1, .budget = -1},
        .load_per_s = load_per_s,
        .trigger = {0, 1, outage_s},
    };
}

TEST(recovery, the_closed_form_gives_the_figures_of_the_notes)
{
    struct predict_request request = request_of(120, 10);
    CHECK(fabs(recovery_predict(&request) - 33) < 1e-9);
    request = request_of(135, 20);
    CHECK(fabs(recovery_predict(&request) - 165.5) < 1e-9);
    request = request_of(142.5, 20);
    CHECK(fabs(recovery_predict(&request) - 350.5) < 1e-9);
    request = request_of(150, 20);
    CHECK(isinf(recovery_predict(&request)));
    request = request_of(280, 20);
    CHECK(isinf(recovery_predict(&request)));
}

TEST(recovery, the_fluid_takes_over_where_the_closed_form_ends)
{
    struct predict_request form = request_of(120, 10);
    struct predict_request fluid = form;
    fluid.system.queue_limit = 1e9; /* no limit that matters, but one */
    CHECK(fabs(recovery_predict(&fluid) - recovery_predict(&form)) < 1e-3);
    fluid.system.retries = 2;
    CHECK(isinf(recovery_predict(&fluid))); /* above 300 / 3 */
    fluid.load_per_s = 90;
    CHECK(recovery_predict(&fluid) > 10);
    CHECK(isfinite(recovery_predict(&fluid)));
    fluid.trigger.duration_s = 0;
    CHECK(isnan(recovery_predict(&fluid)));
    form.load_per_s = 0;
    CHECK(isnan(recovery_predict(&form)));
}

static struct recovery_point judge(const struct lifetime *given, uint32_t count, double predicted)
{
    struct lifetime times[8];
    struct survival steps[8];
    struct recovery_point point = {.predicted_s = predicted};
    memcpy(times, given, count * sizeof(*given));
    recovery_judge(&point, times, count, steps);
    return point;
}

TEST(recovery, what_was_not_back_counts_for_the_median)
{
    static const struct lifetime times[] = {
        {50, true}, {10, false}, {20, false}, {50, true}, {12, false}};
    struct recovery_point point = judge(times, 5, 11);
    CHECK_EQUAL(point.back, 3);
    CHECK_EQUAL(point.censored, 2);
    CHECK_EQUAL(point.looked_s, 50);
    CHECK_EQUAL(point.median.mean, 20); /* and not 12, the median of those that were back */
    CHECK(recovery_is_back(&point));
    CHECK(!recovery_is_censored(&point));
    CHECK_EQUAL(recovery_difference(&point), 9);
}

TEST(recovery, a_minority_that_is_back_leaves_the_median_open)
{
    static const struct lifetime times[] = {{50, true}, {10, false}, {50, true}};
    struct recovery_point point = judge(times, 3, 60);
    CHECK(!recovery_is_back(&point));
    CHECK(recovery_is_censored(&point));
    CHECK(isnan(recovery_difference(&point)));
    point = judge(times, 0, 60);
    CHECK(!recovery_is_back(&point));
    CHECK(!recovery_is_censored(&point));
}

static bool says(struct text *text, const struct recovery_point *point, const char *part)
{
    text_clear(text);
    recovery_add_point(text, point);
    return strstr(text_of(text), part) != NULL;
}

TEST(recovery, the_text_tells_agreement_from_contradiction)
{
    static const struct lifetime back[] = {{34, false}, {34, false}};
    static const struct lifetime never[] = {{450, true}, {450, true}};
    struct text text;
    text_init(&text);
    struct recovery_point point = judge(back, 2, 33);
    CHECK(says(&text, &point, "2 of 2"));
    CHECK(says(&text, &point, "+1.00s"));
    CHECK(!says(&text, &point, "["));
    point.predicted_s = INFINITY;
    CHECK(says(&text, &point, "DIFFERS"));
    point = judge(never, 2, INFINITY);
    CHECK(says(&text, &point, "> 450s"));
    CHECK(says(&text, &point, "never"));
    CHECK(says(&text, &point, "as expected"));
    point.predicted_s = 500;
    CHECK(says(&text, &point, "as expected"));
    point.predicted_s = 400;
    CHECK(says(&text, &point, "DIFFERS"));
    point.unstable = 1;
    CHECK(says(&text, &point, "unstable without a trigger"));
    text_release(&text);
}

TEST(recovery, the_loads_of_a_curve_crowd_towards_the_end)
{
    CHECK(fabs(recovery_load(20, 150, 0, 100) - 20) < 1e-9);
    double before = 20;
    double step = 1e9;
    for (uint32_t i = 1; i < 100; i++) {
        double load = recovery_load(20, 150, i, 100);
        CHECK(load > before);
        CHECK(load < 150);
        CHECK(load - before < step);
        step = load - before;
        before = load;
    }
}
