/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the models of middle tiers share: how the status of a call to the tier behind becomes the
 * answer to the tier in front. */
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

#endif
