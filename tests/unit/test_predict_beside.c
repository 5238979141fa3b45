/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The comparison of prediction and simulation, line by line. */
#include "analysis/predict_beside.h"
#include "tests/unit/harness.h"

#include <math.h>

static struct text text;

static const char *line_of(struct beside_figure figure)
{
    text_clear(&text);
    figure.note = figure.note == NULL ? "" : figure.note;
    beside_add_figure(&text, &figure);
    return text_of(&text);
}

static bool has(const char *line, const char *part)
{
    if (strstr(line, part) == NULL) {
        CHECK_TEXT(line, part);
        return false;
    }
    return true;
}

TEST(predict_beside, differences_are_in_the_unit_in_which_theory_is_exact)
{
    const struct interval none = {NAN, NAN};
    text_init(&text);
    CHECK(has(line_of((struct beside_figure){"hidden", BESIDE_RATE, 150, 148.5, none, 0, ""}),
              "-1.00%"));
    CHECK(has(line_of((struct beside_figure){"tips", BESIDE_TIPS, 1.4585, 1.4575, none, 2, ""}),
              "-0.05% of T"));
    CHECK(
        has(line_of((struct beside_figure){"back", BESIDE_TIME, 33, 34.5, none, 0, ""}), "+1.5s"));
    CHECK(has(line_of((struct beside_figure){"sends", BESIDE_NUMBER, 2, 2.01, none, 0, ""}),
              "+0.50%"));
    CHECK(has(line_of((struct beside_figure){"bound", BESIDE_COUNT, 300, 301, none, 0, ""}), "+1"));
    text_release(&text);
}

TEST(predict_beside, never_agrees_with_never_and_with_nothing_else)
{
    const struct interval none = {NAN, NAN};
    text_init(&text);
    CHECK(has(line_of((struct beside_figure){"tips", BESIDE_TIPS, INFINITY, INFINITY, none, 1, ""}),
              "never        never"));
    CHECK(has(text_of(&text), "agree"));
    CHECK(has(line_of((struct beside_figure){"tips", BESIDE_TIPS, INFINITY, 3, none, 1, ""}),
              "DIFFER"));
    CHECK(has(line_of((struct beside_figure){"tips", BESIDE_TIPS, 3, INFINITY, none, 1, ""}),
              "DIFFER"));
    CHECK(has(line_of((struct beside_figure){"tips", BESIDE_TIPS, 3, NAN, none, 1, "why"}),
              "unknown"));
    CHECK(has(text_of(&text), "why\n"));
    CHECK(strstr(text_of(&text), "agree") == NULL);
    CHECK(strstr(text_of(&text), "DIFFER") == NULL);
    text_clear(&text);
    beside_add_words(&text, "class", "stable", "vulnerable", "");
    CHECK(has(text_of(&text), "DIFFER"));
    text_clear(&text);
    beside_add_words(&text, "class", "stable", "stable", "");
    CHECK(has(text_of(&text), "agree"));
    text_release(&text);
}

TEST(predict_beside, seeds_come_down_to_a_median_and_a_range)
{
    double values[] = {5, 3, NAN, 4, INFINITY};
    struct beside_figure figure = {.name = "hidden", .unit = BESIDE_RATE, .note = ""};
    beside_summarise(&figure, values, 5);
    CHECK_EQUAL(figure.simulated, 4);
    CHECK_EQUAL(figure.range.low, 3);
    CHECK(isinf(figure.range.high));
    double one[] = {7};
    beside_summarise(&figure, one, 1);
    CHECK_EQUAL(figure.simulated, 7);
    CHECK(isnan(figure.range.low));
    double nothing[] = {NAN};
    beside_summarise(&figure, nothing, 1);
    CHECK(isnan(figure.simulated));
}

TEST(predict_beside, a_line_says_where_its_theory_does_not_hold)
{
    struct predict_request request = {.system = {.capacity_per_s = 300,
                                                 .servers = 1,
                                                 .timeout_s = 1,
                                                 .retries = 1,
                                                 .budget = -1,
                                                 .service = PREDICT_CONSTANT},
                                      .load_per_s = 200};
    CHECK_TEXT(beside_limit(&request, BESIDE_HIDDEN), "");
    CHECK_TEXT(beside_limit(&request, BESIDE_TIPPING), "");
    CHECK_TEXT(beside_limit(&request, BESIDE_RECOVERY), "");
    request.system.service = PREDICT_EXPONENTIAL;
    CHECK(has(beside_limit(&request, BESIDE_TIPPING), "knows no chance"));
    request.load_per_s = 285;
    CHECK(has(beside_limit(&request, BESIDE_TIPPING), "saddle-node"));
    CHECK(has(beside_limit(&request, BESIDE_CLASS), "saddle-node"));
    request.system.servers = 30;
    CHECK(has(beside_limit(&request, BESIDE_HIDDEN), "not short"));
    CHECK(has(beside_limit(&request, BESIDE_TIPPING), "not short"));
    request.system.budget = 0.1;
    CHECK(has(beside_limit(&request, BESIDE_HIDDEN), "budget"));
    CHECK(strstr(beside_limit(&request, BESIDE_SADDLE), "budget") == NULL);
    request.system.retry_delay_s = 1;
    CHECK(has(beside_limit(&request, BESIDE_SADDLE), "delay"));
}

TEST(predict_beside, the_plan_waits_long_enough_for_what_theory_expects)
{
    struct predict_request request = {.system = {.capacity_per_s = 300,
                                                 .servers = 1,
                                                 .timeout_s = 1,
                                                 .retries = 1,
                                                 .budget = -1,
                                                 .service = PREDICT_CONSTANT},
                                      .load_per_s = 240,
                                      .trigger = {0, 1, 10}};
    struct beside_plan plan = beside_plan_of(&request);
    CHECK(fabs(plan.hidden_per_s - 150) < 1e-9);
    CHECK(plan.freeze_s > 1.5); /* D* is 1.5 time-outs at the hidden capacity */
    CHECK(plan.freeze_s < 2.5);
    struct fluid_run run =
        fluid_through(&request.system, 148.5, (struct fluid_trigger){0, 1, plan.freeze_s}, 0);
    CHECK(plan.patience_s > run.late_until_s + 30);
    CHECK(plan.class == PREDICT_VULNERABLE);
    CHECK(fabs(plan.sends - 2) < 1e-9);
    CHECK(fabs(plan.tipping_s - 1.0613 * (1 - 1.0 / 300)) < 1e-3);
    CHECK(plan.class_freeze_s > 2 * plan.tipping_s);
    CHECK(isinf(plan.back_s));
    request.load_per_s = 120;
    plan = beside_plan_of(&request);
    CHECK(plan.class == PREDICT_STABLE);
    CHECK(isnan(plan.sends));
    CHECK(isinf(plan.tipping_s));
    CHECK(fabs(plan.back_s - 33) < 0.01);
    CHECK(plan.back_wait_s > 33 + 60);
    CHECK(plan.tipping_wait_s > 33 + 60);
    request.load_per_s = 0;
    CHECK(fabs(beside_plan_of(&request).hidden_per_s - 150) < 1e-9);
}

TEST(predict_beside, the_values_of_a_search_rise_from_end_to_end)
{
    static double values[BESIDE_VALUES_MAX];
    uint32_t count = beside_loads(30, 300, values);
    CHECK(count > 900);
    CHECK(fabs(values[0] - 30) < 1e-9);
    CHECK(fabs(values[count - 1] - 300) < 1e-9);
    for (uint32_t i = 1; i < count; i++) {
        CHECK(values[i] > values[i - 1]);
        CHECK(values[i] / values[i - 1] < 1.0026);
    }
    CHECK_EQUAL(beside_sizes(2, 1, values), 2001);
    CHECK(fabs(values[1000] - 1) < 1e-12);
    CHECK_EQUAL(beside_sizes(1e9, 1, values), BESIDE_VALUES_MAX);
    CHECK_EQUAL(beside_sizes(1e-9, 1, values), 3);
    CHECK_EQUAL(beside_loads(1, 1.0001, values), 3);
}
