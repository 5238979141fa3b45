/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Axis: values of one key that an experiment goes through, as the command line gives them.
 *
 *     [PATH=]FROM..TO[/COUNT]     COUNT values, evenly spaced, both ends among them
 *     [PATH=]VALUE,VALUE,...      these, in rising order
 *
 * Values are durations ("0.5s"), rates ("150/s"), percentages ("20%") or whole numbers, all of one
 * axis of one kind, none negative. The inner values of a range are rounded to what reads well and
 * the language can write: to a power of ten of the smallest step that is at most a hundredth of
 * their distance. */
#ifndef SQUALL_INPUT_AXIS_H
#define SQUALL_INPUT_AXIS_H

#include "sim/base/arena.h"
#include "sim/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AXIS_VALUES_MAX 5000

enum axis_unit {
    AXIS_NUMBER,   /* step: 1 */
    AXIS_DURATION, /* ns */
    AXIS_RATE,     /* events per 1000 s */
    AXIS_PERCENT,  /* millionths */
};

struct axis {
    const char *path; /* of the key; NULL: none was given */
    enum axis_unit unit;
    int64_t *steps; /* the values in steps of the unit, rising */
    uint32_t count; /* 1 .. AXIS_VALUES_MAX */
};

/* `count`: how many values a range without a COUNT has. Memory is of `arena`. False (ERR_INPUT):
 * `err` says what is wrong and shows the form. */
bool axis_parse(const char *text, uint32_t count, struct arena *arena, struct axis *axis,
                struct err *err);
/* The same for a range whose ends are known; from <= to, `count` values unless both are one. False:
 * there are not so many different values between them. */
bool axis_range(enum axis_unit unit, int64_t from, int64_t to, uint32_t count, struct arena *arena,
                struct axis *axis, struct err *err);
/* "1.5s", "157.37/s", "20%", "7": as a scenario writes it. `out` has room for 32 bytes. */
const char *axis_format(enum axis_unit unit, int64_t step, char *out, size_t size);
/* Of a value that is written in seconds, per second, as a share or as it is: "s", "1/s", "", "". */
const char *axis_unit_name(enum axis_unit unit);

#endif
