/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * All arithmetic is in whole steps of the unit, so a value that is printed is the value that is
 * run. What is not known here is what the key is for: a path that does not exist, or a value that
 * it does not take, is found when the scenario is compiled with it. */
#include "sim/input/axis.h"

#include "sim/base/base.h"
#include "sim/base/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 4096

static const char form[] = "[PATH=]FROM..TO/COUNT or [PATH=]VALUE,VALUE,...";

/* Whichever unit the text has. */
static bool read_value(const char *text, enum axis_unit *unit, int64_t *step, struct err *err)
{
    size_t length = strlen(text);
    uint64_t number = 0;
    bool is_read;
    if (length > 0 && text[length - 1] == '%') {
        *unit = AXIS_PERCENT;
        is_read = units_ratio(text, step, err);
    } else if (strchr(text, '/') != NULL) {
        *unit = AXIS_RATE;
        is_read = units_rate(text, step, err);
    } else if (length > 0 && strspn(text, "0123456789") == length) {
        *unit = AXIS_NUMBER;
        is_read = units_u64(text, &number, err);
        *step = number > INT64_MAX ? INT64_MAX : (int64_t)number;
    } else {
        *unit = AXIS_DURATION;
        is_read = units_duration(text, step, err);
    }
    return is_read && (*step >= 0 || err_set(err, ERR_INPUT, "'%s' is negative", text));
}

/* Two ends, or all values, in one unit; a bare 0 takes the other's. */
static bool share_unit(enum axis_unit *unit, int64_t step, enum axis_unit other, const char *text,
                       int64_t other_step, struct err *err)
{
    if (*unit == other || (other == AXIS_NUMBER && other_step == 0)) {
        return true;
    }
    if (*unit == AXIS_NUMBER && step == 0) {
        *unit = other;
        return true;
    }
    return err_set(err, ERR_INPUT, "'%s' has another unit than the value before it", text);
}

/* The largest power of ten that is at most a hundredth of `distance`; at least 1. */
static int64_t grain_of(int64_t distance)
{
    int64_t grain = 1;
    while (grain <= distance / 1000) {
        grain *= 10;
    }
    return grain;
}

bool axis_range(enum axis_unit unit, int64_t from, int64_t to, uint32_t count, struct arena *arena,
                struct axis *axis, struct err *err)
{
    ASSERT(count >= 1);
    ASSERT(from <= to);
    char low[32];
    char high[32];
    axis->unit = unit;
    axis->count = from == to ? 1 : count;
    axis->steps = arena_alloc_array(arena, axis->count, sizeof(*axis->steps));
    axis->steps[0] = from;
    if (axis->count == 1) {
        return from == to || err_set(err, ERR_INPUT, "one value cannot reach from %s to %s",
                                     axis_format(unit, from, low, sizeof(low)),
                                     axis_format(unit, to, high, sizeof(high)));
    }
    int64_t grain = grain_of((to - from) / (count - 1));
    for (uint32_t i = 1; i < count; i++) {
        __int128 exact = (__int128)(to - from) * i / (count - 1) + from;
        int64_t rounded = (int64_t)((exact + grain / 2) / grain * grain);
        axis->steps[i] = i == count - 1 ? to : rounded;
        if (axis->steps[i] <= axis->steps[i - 1]) {
            return err_set(err, ERR_INPUT, "there are no %u different values from %s to %s", count,
                           axis_format(unit, from, low, sizeof(low)),
                           axis_format(unit, to, high, sizeof(high)));
        }
    }
    return true;
}

/* "FROM..TO[/COUNT]": a rate has a slash of its own, so the count is what follows the last one and
 * is a number. */
static bool parse_range(char *text, char *dots, uint32_t count, struct arena *arena,
                        struct axis *axis, struct err *err)
{
    *dots = '\0';
    char *second = dots + 2;
    char *slash = strrchr(second, '/');
    if (slash != NULL && slash[1] != '\0' && strspn(slash + 1, "0123456789") == strlen(slash + 1)) {
        unsigned long wanted = strtoul(slash + 1, NULL, 10);
        if (wanted < 1 || wanted > AXIS_VALUES_MAX) {
            return err_set(err, ERR_INPUT, "'%s' values: 1 to %d can be", slash + 1,
                           AXIS_VALUES_MAX);
        }
        count = (uint32_t)wanted;
        *slash = '\0';
    }
    enum axis_unit unit;
    enum axis_unit other;
    int64_t from;
    int64_t to;
    if (!read_value(text, &unit, &from, err) || !read_value(second, &other, &to, err) ||
        !share_unit(&unit, from, other, second, to, err)) {
        return false;
    }
    return from <= to ? axis_range(unit, from, to, count, arena, axis, err)
                      : err_set(err, ERR_INPUT, "'%s' is above '%s'", text, second);
}

static bool parse_list(char *text, struct arena *arena, struct axis *axis, struct err *err)
{
    uint32_t room = 1;
    for (const char *at = text; *at != '\0'; at++) {
        room += *at == ',' ? 1 : 0;
    }
    axis->steps = arena_alloc_array(arena, room, sizeof(*axis->steps));
    axis->count = 0;
    for (char *at = text; at != NULL;) {
        char *comma = strchr(at, ',');
        if (comma != NULL) {
            *comma = '\0';
        }
        enum axis_unit unit;
        int64_t step;
        if (!read_value(at, &unit, &step, err)) {
            return false;
        }
        int64_t before = axis->count == 0 ? 0 : axis->steps[axis->count - 1];
        axis->unit = axis->count == 0 ? unit : axis->unit;
        if (!share_unit(&axis->unit, before, unit, at, step, err)) {
            return false;
        }
        if (axis->count > 0 && step <= before) {
            return err_set(err, ERR_INPUT, "'%s' is not above the value before it", at);
        }
        axis->steps[axis->count++] = step;
        at = comma == NULL ? NULL : comma + 1;
    }
    return true;
}

bool axis_parse(const char *text, uint32_t count, struct arena *arena, struct axis *axis,
                struct err *err)
{
    ASSERT(text != NULL);
    *axis = (struct axis){0};
    const char *equals = strchr(text, '=');
    if (equals != NULL) {
        if (equals == text) {
            return err_set(err, ERR_INPUT, "no path before '='; the form is %s", form);
        }
        axis->path = arena_strndup(arena, text, (size_t)(equals - text));
        text = equals + 1;
    }
    if (*text == '\0' || strlen(text) >= TEXT_MAX) {
        return err_set(err, ERR_INPUT, "no values, or too many; the form is %s", form);
    }
    char copy[TEXT_MAX];
    memcpy(copy, text, strlen(text) + 1);
    char *dots = strstr(copy, "..");
    return dots != NULL ? parse_range(copy, dots, count, arena, axis, err)
                        : parse_list(copy, arena, axis, err);
}

/* `step` in thousandths or so, without trailing zeros. */
static void format_decimal(int64_t step, int digits, const char *ending, char *out, size_t size)
{
    int64_t whole = 1;
    for (int i = 0; i < digits; i++) {
        whole *= 10;
    }
    int length = snprintf(out, size, "%" PRId64 ".%0*" PRId64, step / whole, digits, step % whole);
    while (length > 0 && out[length - 1] == '0') {
        length--;
    }
    length -= length > 0 && out[length - 1] == '.' ? 1 : 0;
    snprintf(out + length, size - (size_t)length, "%s", ending);
}

const char *axis_format(enum axis_unit unit, int64_t step, char *out, size_t size)
{
    switch (unit) {
    case AXIS_NUMBER:
        snprintf(out, size, "%" PRId64, step);
        return out;
    case AXIS_DURATION:
        return units_format_duration(step, out, size);
    case AXIS_RATE:
        format_decimal(step, 3, "/s", out, size);
        return out;
    case AXIS_PERCENT:
        format_decimal(step, 4, "%", out, size);
        return out;
    }
    UNREACHABLE();
}

const char *axis_unit_name(enum axis_unit unit)
{
    static const char *const names[] = {"", "s", "1/s", ""};
    return names[unit];
}
