/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * All in fixed point; no library function and no floating point, so every machine draws the same.
 *
 * Logarithm: a number in [1, 2) is squared again and again; each time it reaches 2 the next binary
 * digit of its logarithm is 1 (Knuth, The Art of Computer Programming, 1.2.2, exercise 25). Forty
 * digits, exact to 2^-39.
 *
 * Exponential: -ln(u), with the leading zeros of u as the whole part of its binary logarithm.
 *
 * Normal: ratio of uniforms (Kinderman & Monahan 1977): z = sqrt(8/e) (v - 1/2) / u is accepted
 * when z^2 <= -4 ln(u), about 1.37 tries for one value.
 *
 * Lognormal: mean * exp(s z - s^2 / 2), where s is the spread: the mean does not depend on it. */
#include "law.h"

#include <assert.h>

typedef __int128 wide;

#define DIGITS        40
#define LN2_Q40       INT64_C(762123384786)       /* ln(2) */
#define LOG2E_Q40     INT64_C(1586259972792)      /* 1 / ln(2) */
#define ROOT_8E_Q32   INT64_C(7368135667)         /* sqrt(8 / e) */
#define LN2_Q60       INT64_C(799144290325165979) /* ln(2) */
#define ONE_Q60       (INT64_C(1) << 60)
#define SERVICE_LIMIT (INT64_C(1) << 60)

int64_t law_minus_ln_q40(uint64_t word)
{
    const uint32_t zeros = (uint32_t)__builtin_clzll(word | 1);
    unsigned __int128 x = (word | (zeros == 63 ? 1 : 0)) << zeros; /* [1, 2), 63 fraction bits */
    int64_t digits = 0;
    for (uint32_t i = 0; i < DIGITS; i++) {
        x = x * x >> 63;
        digits <<= 1;
        if (x >> 64 != 0) {
            x >>= 1;
            digits |= 1;
        }
    }
    const int64_t minus_log2 = ((int64_t)(zeros + 1) << DIGITS) - digits;
    return (int64_t)((wide)minus_log2 * LN2_Q40 >> DIGITS);
}

int64_t law_scale_exp(int64_t value, int64_t exponent_q40)
{
    const int64_t log2_q40 = (int64_t)((wide)exponent_q40 * LOG2E_Q40 >> DIGITS);
    const int64_t whole = log2_q40 >> DIGITS; /* floor */
    const int64_t fraction_q60 = (log2_q40 & ((INT64_C(1) << DIGITS) - 1)) << (60 - DIGITS);
    const int64_t x = (int64_t)((wide)fraction_q60 * LN2_Q60 >> 60); /* [0, ln 2) */
    int64_t term = ONE_Q60;
    int64_t sum = ONE_Q60;
    for (int64_t n = 1; term > 0; n++) {
        term = (int64_t)((wide)term * x >> 60) / n;
        sum += term;
    }
    wide scaled = (wide)value * sum;
    if (whole >= 0) {
        scaled = whole > 40 ? (wide)SERVICE_LIMIT << 60 : scaled >> (60 - whole);
    } else {
        scaled = whole < -60 ? 0 : scaled >> 60 >> -whole;
    }
    return scaled > SERVICE_LIMIT ? SERVICE_LIMIT : (int64_t)scaled;
}

/* A standard normal value, 32 fraction bits. */
static int64_t normal_q32(struct sq_env *env)
{
    for (;;) {
        const uint64_t word = env->rand->u64(env);
        const int64_t u = (int64_t)(word >> 32) + 1;                         /* (0, 1] */
        const int64_t v = (int64_t)(word & UINT32_MAX) - (INT64_C(1) << 31); /* [-1/2, 1/2) */
        const wide z = (wide)v * ROOT_8E_Q32 / u;
        const uint64_t survivor = u == INT64_C(1) << 32 ? UINT64_MAX : (uint64_t)u << 32;
        const wide bound = (wide)law_minus_ln_q40(survivor) << (64 - DIGITS + 2);
        if (z * z <= bound) {
            return (int64_t)z;
        }
    }
}

sq_time law_sample(struct sq_env *env, const struct law *law)
{
    assert(law->mean >= 0);
    const int64_t spread_ns = (int64_t)((wide)law->mean * law->spread >> 32);
    switch (law->kind) {
    case LAW_DETERMINISTIC:
        return law->mean;
    case LAW_EXPONENTIAL:
        return (int64_t)((wide)law->mean * law_minus_ln_q40(env->rand->u64(env)) >> DIGITS);
    case LAW_UNIFORM:
        return law->mean - spread_ns + (int64_t)env->rand->below(env, 2 * (uint64_t)spread_ns + 1);
    case LAW_LOGNORMAL: {
        const wide s_z_q64 = (wide)normal_q32(env) * law->spread;
        const wide half_q64 = (wide)law->spread * law->spread / 2;
        return law_scale_exp(law->mean, (int64_t)((s_z_q64 - half_q64) >> (64 - DIGITS)));
    }
    }
    return law->mean;
}
