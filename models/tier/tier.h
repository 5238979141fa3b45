/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the models of middle tiers share: how the status of a call to the tier behind becomes the
 * answer to the tier in front, which node of a group has a key, and what a `memcache` understands
 * besides reads and updates. */
#ifndef SQUALL_MODELS_TIER_TIER_H
#define SQUALL_MODELS_TIER_TIER_H

#include "squall.h"

/* The status to answer with. Definite stays definite and indefinite stays indefinite. Leadership
 * and refused connections are affairs between this tier and the one behind: the tier in front would
 * take them for this node's, so they become `temporarily-unavailable`, which is definite as well.
 */
static inline enum sq_status tier_status(enum sq_status status)
{
    return status == SQ_E_NOT_LEADER || status == SQ_E_REFUSED ? SQ_E_UNAVAILABLE : status;
}

/* The node, of `count` > 0, that has a key. Neighbouring keys, which are about as popular as each
 * other, go to different nodes. */
static inline uint32_t tier_shard(uint64_t key, uint32_t count)
{
    return (uint32_t)((key + 1) * UINT64_C(0x9e3779b97f4a7c15) >> 32) % count;
}

/* A third kind of request beside those of enum sq_kv_kind: forget the key. */
#define TIER_DELETE 3

/* A cache's answer to a read: as sq_kv_reply, and whether it had the key. A value of 0 may well be
 * in a cache: it says that the database has no such key. */
struct tier_reply {
    struct sq_kv_reply kv;
    uint64_t is_hit;
};

#endif
