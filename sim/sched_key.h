/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the pending-event set orders: 16 bytes that hold the whole order (time, then sequence number
 * of the push) and, below both, the slot of the event in the slab. One unsigned 128-bit comparison
 * decides, without a branch.
 *
 *   127 .. 64 time in ns | 63 .. 24 sequence | 23 .. 0 slot
 *
 * Sequence numbers are unique, so no two keys are equal and the slot never decides. */
#ifndef SQUALL_SIM_SCHED_KEY_H
#define SQUALL_SIM_SCHED_KEY_H

#include <stdint.h>

typedef unsigned __int128 sched_key;

#define SCHED_SLOT_BITS    24
#define SCHED_SLOT_MASK    ((UINT64_C(1) << SCHED_SLOT_BITS) - 1)
#define SCHED_SEQUENCE_MAX ((UINT64_C(1) << 40) - 1)
/* Above every key: the front of an empty structure. */
#define SCHED_KEY_MAX (~(sched_key)0)

static inline sched_key sched_key_make(int64_t time_ns, uint64_t sequence, uint32_t slot)
{
    return ((sched_key)(uint64_t)time_ns << 64) | (sequence << SCHED_SLOT_BITS) | slot;
}

static inline uint64_t sched_key_time(sched_key key)
{
    return (uint64_t)(key >> 64);
}

static inline uint64_t sched_key_sequence(sched_key key)
{
    return (uint64_t)key >> SCHED_SLOT_BITS;
}

static inline uint32_t sched_key_slot(sched_key key)
{
    return (uint32_t)((uint64_t)key & SCHED_SLOT_MASK);
}

#endif
