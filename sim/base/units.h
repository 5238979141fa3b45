/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Values with units, as scenarios and command lines write them. All results are integers; a missing
 * or unknown unit is an error whose text shows the fix ("write the unit: '5ms'"). Decimal fractions
 * are exact ("1.5ms"): what is not a whole number of the result's steps is an error too, and so is
 * what does not fit. The result is written only on success. No spaces, plus signs or exponents. */
#ifndef SQUALL_BASE_UNITS_H
#define SQUALL_BASE_UNITS_H

#include "sim/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

/* "250us", "1.5s", "2m30s", "1h", "0" (zero needs no unit); may be negative. ns.
 * Units ns, us, ms, s, m, h, d; several of them descend ("1h30m"). */
bool units_duration(const char *text, int64_t *ns, struct err *err);
/* "0.01%", "25%": out of 2^32 (100% = 2^32). Range 0% .. 100%. Rounded to the
 * nearest of 2^32, but what is neither 0% nor 100% never becomes one of them: it is refused. */
bool units_percent(const char *text, uint64_t *probability, struct err *err);
/* Any percentage >= 0 in millionths ("150%" = 1500000). */
bool units_ratio(const char *text, int64_t *millionths, struct err *err);
/* "64KiB", "4096B", "1MB", "2GiB": bytes. */
bool units_size(const char *text, int64_t *bytes, struct err *err);
/* "10gbit", "100mbit", "1kbit" are bits per second, "2GB/s", "100MB/s", "64KiB/s" bytes per second;
 * result in bytes per second. "mbps" and "bps" are refused as ambiguous. */
bool units_bandwidth(const char *text, int64_t *bytes_per_s, struct err *err);
/* "200/s", "30/m", "1.5/s": events per 1000 seconds (so that 0.5/s is exact).
 * Also "/h". What is no multiple of 0.001/s, like "1/m", is refused with the nearest that is. */
bool units_rate(const char *text, int64_t *per_1000s, struct err *err);
/* "50ppm", "-20ppm": parts per million. */
bool units_ppm(const char *text, int64_t *ppm, struct err *err);
/* Decimal or 0x hexadecimal, no sign, whole text. */
bool units_u64(const char *text, uint64_t *value, struct err *err);

/* The shortest exact text of a duration: "1.5s", "250us", "0s". `out` has room for 32 bytes. */
const char *units_format_duration(int64_t ns, char *out, size_t size);

#endif
