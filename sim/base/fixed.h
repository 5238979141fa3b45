/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Logarithm and power of two in integers, for the laws of sim/base/dist.c: the leading 8 bits of
 * the mantissa choose a table entry, the rest goes through three or four terms of the series;
 * errors are below 1e-11. The same bits on every machine. */
#ifndef SQUALL_BASE_FIXED_H
#define SQUALL_BASE_FIXED_H

#include "sim/base/base.h"
#include "sim/base/dist_tables.h"

#include <stdint.h>

typedef unsigned __int128 wide;
typedef __int128 swide;

#define FIXED_VALUE_MAX (INT64_C(1) << 62)

/* Constants; the number of fraction bits is the end of the name. */
#define LN2_Q62    UINT64_C(0x2c5c85fdf473de6b)
#define LN2_Q48    UINT64_C(0xb17217f7d1cf)
#define LN2_Q40    UINT64_C(0xb17217f7d2)
#define LOG2_E_Q60 UINT64_C(0x171547652b82fe17)
#define LOG2_E_Q48 UINT64_C(0x171547652b830)

static inline uint64_t multiply(uint64_t left, uint64_t right, uint32_t shift)
{
    return (uint64_t)(((wide)left * right) >> shift);
}

/* log2(value) with 48 fraction bits; value >= 1. */
static inline uint64_t log2_q48(uint64_t value)
{
    ASSERT(value >= 1);
    uint32_t zeros = (uint32_t)__builtin_clzll(value);
    uint64_t mantissa = value << zeros; /* in [1, 2) with 63 fraction bits */
    uint32_t index = (uint32_t)(mantissa >> 55) & 255;
    /* mantissa = (1 + index / 256) * (1 + rest), rest < 1/256. */
    uint64_t rest = multiply(mantissa, reciprocal_table[index], 63) - (UINT64_C(1) << 62);
    uint64_t square = multiply(rest, rest, 62);
    uint64_t cube = multiply(square, rest, 62);
    uint64_t fourth = multiply(square, square, 62);
    uint64_t ln = rest - square / 2 + cube / 3 - fourth / 4;
    uint64_t fraction = log2_table[index] + multiply(ln, LOG2_E_Q60, 62);
    return ((uint64_t)(63 - zeros) << 48) + (fraction >> 12);
}

/* 2^fraction with 62 fraction bits, in [2^62, 2^63); fraction < 1 with 48 bits. */
static inline uint64_t exp2_q62(uint64_t fraction)
{
    uint32_t index = (uint32_t)(fraction >> 40);
    ASSERT(index < 256);
    uint64_t rest = multiply(fraction & ((UINT64_C(1) << 40) - 1), LN2_Q62, 48);
    uint64_t square = multiply(rest, rest, 62);
    uint64_t cube = multiply(square, rest, 62);
    uint64_t series = (UINT64_C(1) << 62) + rest + square / 2 + cube / 6;
    return multiply(exp2_table[index], series, 62);
}

/* value * 2^exponent (48 fraction bits), rounded, at most FIXED_VALUE_MAX; 0 <= value <=
 * FIXED_VALUE_MAX. */
static inline int64_t scale_exp2(int64_t value, swide exponent)
{
    const swide whole_max = (swide)64 << 48;
    if (value == 0 || exponent < -2 * whole_max) {
        return 0;
    }
    if (exponent > whole_max) {
        return FIXED_VALUE_MAX;
    }
    int32_t whole = (int32_t)(exponent >> 48); /* towards minus infinity */
    uint64_t fraction = (uint64_t)exponent & ((UINT64_C(1) << 48) - 1);
    if (whole >= 62) {
        return FIXED_VALUE_MAX;
    }
    int32_t shift = 62 - whole;
    ASSERT(shift > 0);
    if (shift > 126) {
        return 0;
    }
    wide product = (wide)(uint64_t)value * exp2_q62(fraction);
    wide rounded = (product >> shift) + ((product >> (shift - 1)) & 1);
    return rounded > (wide)FIXED_VALUE_MAX ? FIXED_VALUE_MAX : (int64_t)rounded;
}

#define FIXED_ONE_Q32 (UINT64_C(1) << 32)

/* log2 of Gamma(z), 48 fraction bits, for z >= 1 with 32 fraction bits, at most 2^24: Stirling's
 * series from z + 16 on, brought back by the recurrence (DLMF 5.11.1, 5.5.1). Errors below 1e-9. */
swide fixed_log2_gamma(uint64_t z_q32);

#endif
