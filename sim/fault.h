/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Faults: when they strike, whom, and what they do. Each fault of the scenario is a process with
 * random streams of its own; an instance of it is a set of filters in front of links and disks, or
 * an action on nodes, undone at its end. */
#ifndef SQUALL_SIM_FAULT_H
#define SQUALL_SIM_FAULT_H

#include "sim/world.h"

struct fault_set;

/* Allocates in the world's arena. */
struct fault_set *fault_new(struct world *world);
/* Schedules the first strike of every fault that the swarm coin left on. */
void fault_start(struct fault_set *set);
/* Number of the next thing that strikes: dense from 0 in order of start. */
uint32_t fault_next_id(struct fault_set *set);
/* The hosts of these nodes lose their power, until they are given back; whatever faults do. */
void fault_take_away(struct fault_set *set, uint64_t nodes);
/* They boot, unless a fault holds them down. */
void fault_give_back(struct fault_set *set, uint64_t nodes);
/* Ends what is active, starts every node that is down for whatever reason, and strikes no more:
 * before the audit. */
void fault_heal(struct fault_set *set);

#endif
