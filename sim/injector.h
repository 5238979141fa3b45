/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Injector: a fleet (sim/fleet.h) drives the machines of a world. It owns every clock; when a
 * machine of the fleet goes, the host of that node of the first group loses its power, and when it
 * is back, it boots, unless a fault holds it down. */
#ifndef SQUALL_SIM_INJECTOR_H
#define SQUALL_SIM_INJECTOR_H

#include "sim/world.h"

/* Schedules the first event of spec->injected after the warm-up, in the world's arena; nothing
 * without one. The fleet's seed is the world's. */
void injector_start(struct world *world);

#endif
