/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Axes of experiments: ranges, lists, rounding, and what is refused. */
#include "sim/input/axis.h"

#include "tests/unit/harness.h"

#include <stdio.h>
#include <string.h>

static struct arena arena;
static struct axis axis;
static struct err err;

static bool parse(const char *text, uint32_t count)
{
    arena_release(&arena);
    arena_init(&arena);
    err = (struct err){0};
    return axis_parse(text, count, &arena, &axis, &err);
}

/* All values, "a b c". */
static const char *values(void)
{
    static char text[512];
    char value[32];
    text[0] = '\0';
    for (uint32_t i = 0; i < axis.count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof(text) - used, "%s%s", i > 0 ? " " : "",
                 axis_format(axis.unit, axis.steps[i], value, sizeof(value)));
    }
    return text;
}

static void check_refused(const char *text, const char *part)
{
    CHECK(!parse(text, 5));
    CHECK_EQUAL(err.code, ERR_INPUT);
    if (strstr(err.text, part) == NULL) {
        CHECK_TEXT(err.text, part);
    }
}

TEST(axis, a_range_has_both_ends_and_even_steps)
{
    REQUIRE(parse("150/s..290/s/8", 5));
    CHECK_EQUAL(axis.unit, AXIS_RATE);
    CHECK(axis.path == NULL);
    CHECK_TEXT(values(), "150/s 170/s 190/s 210/s 230/s 250/s 270/s 290/s");
    REQUIRE(parse("0.5s..2.5s", 5));
    CHECK_EQUAL(axis.unit, AXIS_DURATION);
    CHECK_TEXT(values(), "500ms 1s 1.5s 2s 2.5s");
    REQUIRE(parse("10%..20%/3", 5));
    CHECK_TEXT(values(), "10% 15% 20%");
    REQUIRE(parse("faults.slow.factor=2..20/10", 5));
    CHECK_TEXT(axis.path, "faults.slow.factor");
    CHECK_TEXT(values(), "2 4 6 8 10 12 14 16 18 20");
}

TEST(axis, inner_values_are_rounded_to_what_reads_well)
{
    REQUIRE(parse("100/s..200/s/4", 5));
    CHECK_TEXT(values(), "100/s 133.3/s 166.7/s 200/s");
    REQUIRE(parse("0s..1s/7", 5));
    CHECK_TEXT(values(), "0s 167ms 333ms 500ms 667ms 833ms 1s");
    REQUIRE(parse("1..10/4", 5));
    CHECK_TEXT(values(), "1 4 7 10");
    REQUIRE(parse("1h..1000h/3", 5));
    CHECK_EQUAL(axis.count, 3);
}

TEST(axis, a_list_is_taken_as_it_is)
{
    REQUIRE(parse("load.web.rate=0.5/s,1/s,30/m", 5) == false);
    REQUIRE(parse("load.web.rate=0.5/s,1/s,90/m", 5));
    CHECK_TEXT(axis.path, "load.web.rate");
    CHECK_TEXT(values(), "0.5/s 1/s 1.5/s");
    REQUIRE(parse("280/s", 5));
    CHECK_EQUAL(axis.count, 1);
    REQUIRE(parse("7,8,1000", 5));
    CHECK_TEXT(values(), "7 8 1000");
}

TEST(axis, a_bare_zero_takes_the_other_unit)
{
    REQUIRE(parse("0..3s/4", 5));
    CHECK_EQUAL(axis.unit, AXIS_DURATION);
    CHECK_TEXT(values(), "0s 1s 2s 3s");
    REQUIRE(parse("0,5/s", 5));
    CHECK_EQUAL(axis.unit, AXIS_RATE);
}

TEST(axis, ends_that_are_equal_are_one_value)
{
    REQUIRE(parse("5s..5s/9", 5));
    CHECK_TEXT(values(), "5s");
}

TEST(axis, every_printed_value_is_read_back_as_the_same_step)
{
    REQUIRE(parse("0.123s..7.891s/77", 5));
    struct axis first = axis;
    struct arena kept = arena;
    arena_init(&arena);
    for (uint32_t i = 0; i < first.count; i++) {
        char value[32];
        axis_format(first.unit, first.steps[i], value, sizeof(value));
        REQUIRE(parse(value, 5));
        CHECK(axis.steps[0] == first.steps[i]);
        CHECK(i == 0 || first.steps[i] > first.steps[i - 1]);
    }
    arena_release(&kept);
}

TEST(axis, what_makes_no_sense_is_refused_with_the_reason)
{
    check_refused("", "FROM..TO");
    check_refused("=1..2", "no path before '='");
    check_refused("1s..2/s", "'2/s' has another unit");
    check_refused("5s..1s", "'5s' is above '1s'");
    check_refused("1..3/9", "no 9 different values from 1 to 3");
    check_refused("1s..2s/0", "1 to 5000");
    check_refused("1s..2s/5001", "1 to 5000");
    check_refused("1s..2s/1", "one value cannot reach");
    check_refused("1s,1s", "'1s' is not above");
    check_refused("3s,2s", "'2s' is not above");
    check_refused("1.5..2", "has no unit");
    check_refused("-1s..2s", "negative");
    check_refused("1s..", "");
    check_refused("1s..2parsec", "");
    arena_release(&arena);
}
