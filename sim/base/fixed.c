/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Stirling's series: log2 Gamma(x) = (x - 1/2) log2 x - x log2 e + log2(2 pi) / 2
 *                                    + (1 / (12 x) - 1 / (360 x^3)) log2 e.
 * At x >= 17 the term that is left out is below 1e-9. */
#include "sim/base/fixed.h"

#define SHIFT             16
#define HALF_LOG2_2PI_Q48 UINT64_C(0x1536439a4c6f0)

/* log2 of a value with 32 fraction bits. */
static swide log2_of_q32(uint64_t value)
{
    return (swide)log2_q48(value) - ((swide)32 << 48);
}

swide fixed_log2_gamma(uint64_t z_q32)
{
    ASSERT(z_q32 >= FIXED_ONE_Q32);
    ASSERT(z_q32 <= FIXED_ONE_Q32 << 24);
    const uint64_t x = z_q32 + SHIFT * FIXED_ONE_Q32;
    swide result = ((swide)x - (swide)(FIXED_ONE_Q32 / 2)) * log2_of_q32(x) >> 32;
    result -= (swide)x * (swide)LOG2_E_Q48 >> 32;
    result += (swide)HALF_LOG2_2PI_Q48;
    const swide inverse = ((swide)1 << 80) / (swide)x; /* 1 / x, 48 fraction bits */
    const swide cube = ((inverse * inverse >> 48) * inverse) >> 48;
    result += (inverse / 12 - cube / 360) * (swide)LOG2_E_Q48 >> 48;
    for (uint64_t i = 0; i < SHIFT; i++) {
        result -= log2_of_q32(z_q32 + i * FIXED_ONE_Q32);
    }
    return result;
}
