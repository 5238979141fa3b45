/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Surges: a load beside others that begins and ends is a trigger like a fault; it is told to the
 * observer as one (kind "Load", action "surge"), so that recovery is measured from its end and
 * plots shade it. It changes nothing. A load of no duration is none. */
#ifndef SQUALL_SIM_SURGE_H
#define SQUALL_SIM_SURGE_H

#include "sim/fault.h"

/* Schedules the tellings, in the world's arena. */
void surge_start(struct world *world);

#endif
