/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One event of the world for each event of the fleet. The fleet is a function of its spec and the
 * seed alone, so whoever wants to know afterwards when machines went runs it again. */
#include "sim/injector.h"

#include "sim/base/base.h"
#include "sim/fault.h"
#include "sim/fleet.h"

struct injector {
    struct world *world;
    struct fleet fleet;
    uint64_t away; /* machines, as the world has them */
};

static void fire(void *context, struct sched_event *event);

static void schedule(struct injector *injector)
{
    struct world *world = injector->world;
    const int64_t next_ns = fleet_next(&injector->fleet);
    sched_handle handle;
    if (next_ns == FLEET_NEVER) {
        return;
    }
    struct sched_event *event =
        sched_push(&world->sched, time_add(world->spec->warmup_ns, next_ns), &handle);
    event->fire = fire;
    event->context = injector;
    event->kind = TRACE_FAULT;
}

static void fire(void *context, struct sched_event *event)
{
    (void)event;
    struct injector *injector = context;
    const uint32_t machines = injector->fleet.spec->machines;
    const uint64_t all = machines == 64 ? UINT64_MAX : (UINT64_C(1) << machines) - 1;
    if (injector->world->is_auditing) {
        return;
    }
    fleet_step(&injector->fleet);
    const uint64_t away = all & ~fleet_available(&injector->fleet);
    const uint32_t first = injector->world->spec->groups[0].first;
    fault_take_away(injector->world->faults, (away & ~injector->away) << first);
    fault_give_back(injector->world->faults, (injector->away & ~away) << first);
    injector->away = away;
    schedule(injector);
}

void injector_start(struct world *world)
{
    const struct spec_fleet *spec = world->spec->injected;
    if (spec == NULL) {
        return;
    }
    ASSERT(spec->machines <= world->spec->groups[0].count);
    struct injector *injector = arena_alloc(&world->arena, sizeof(*injector));
    injector->world = world;
    injector->away = 0;
    fleet_begin(&injector->fleet, spec, world->seed);
    schedule(injector);
}
