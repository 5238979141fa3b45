/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Circuit breaker over all attempts of one caller (resilience4j's CircuitBreaker): CLOSED lets
 * everything through and judges a sliding window of outcomes; OPEN lets nothing through for a
 * while; HALF OPEN lets a few attempts through and decides by their outcomes. It moves only when
 * it is asked or told something: it has no timer. */
#ifndef SQUALL_SIM_BREAKER_H
#define SQUALL_SIM_BREAKER_H

#include "sim/spec.h"

enum breaker_state {
    BREAKER_CLOSED,
    BREAKER_OPEN,
    BREAKER_HALF_OPEN,
};

struct breaker_counts {
    uint32_t calls;
    uint32_t failed;
    uint32_t slow;
};

/* Zeroed: nothing is known yet, see breaker_adopt. */
struct breaker {
    struct spec_breaker policy;
    enum breaker_state state;
    uint32_t epoch; /* grows with every change of state; never 0 once adopted */
    int64_t opened_ns;
    uint32_t permits; /* HALF OPEN: attempts that may still begin */
    struct breaker_counts total;
    unsigned char *outcomes;        /* window of calls: a ring */
    struct breaker_counts *seconds; /* window of time: a ring, indexed by the second */
    uint32_t size;                  /* of the ring in use: fewer in HALF OPEN */
    uint32_t next;                  /* outcomes: where the next goes */
    int64_t second;                 /* seconds: the newest */
};

/* Takes over a policy: closed and with an empty window when it differs from the one before. */
void breaker_adopt(struct breaker *breaker, const struct spec_breaker *policy, int64_t now_ns);
void breaker_release(struct breaker *breaker);
/* May an attempt begin? The permit (not 0) goes to breaker_record or breaker_cancel, once. An open
 * breaker that has waited long enough becomes half open here. */
uint32_t breaker_ask(struct breaker *breaker, int64_t now_ns);
/* An attempt ended, after duration_ns. `permit` is 0 when it began without asking. */
void breaker_record(struct breaker *breaker, uint32_t permit, bool is_failure, int64_t duration_ns,
                    int64_t now_ns);
/* An attempt with a permit was given up or does not count. */
void breaker_cancel(struct breaker *breaker, uint32_t permit);

#endif
