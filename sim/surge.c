/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/surge.h"

struct surge {
    struct world *world;
    int64_t end_ns;
    struct sq_fault_event told;
};

/* When the load stops by itself; INT64_MAX: never. */
static int64_t end_of(const struct spec_load *load)
{
    int64_t length = load->duration_ns;
    if (load->executor == SPEC_RAMPING_ARRIVAL_RATE) {
        int64_t stages = 0;
        for (uint32_t i = 0; i < load->stage_count; i++) {
            stages += load->stages[i].duration_ns;
        }
        length = stages < length ? stages : length;
    }
    return length == INT64_MAX ? INT64_MAX : load->start_ns + length;
}

static void tell(struct surge *surge)
{
    struct world *world = surge->world;
    world_trace(world, TRACE_FAULT, TRACE_NOBODY, surge->told.id, surge->told.fault);
    if (world->observer->on_fault != NULL) {
        world->observer->on_fault(world->observer->context, &surge->told);
    }
}

static void push(struct surge *surge, int64_t time_ns, void (*fire)(void *, struct sched_event *))
{
    struct sched_event *event = sched_push(&surge->world->sched, time_ns, NULL);
    event->fire = fire;
    event->context = surge;
    event->kind = TRACE_FAULT;
}

static void fire_end(void *context, struct sched_event *event)
{
    (void)event;
    struct surge *surge = context;
    surge->told.end = world_now(surge->world);
    tell(surge);
}

static void fire_start(void *context, struct sched_event *event)
{
    (void)event;
    struct surge *surge = context;
    surge->told.id = fault_next_id(surge->world->faults);
    surge->told.start = world_now(surge->world);
    surge->told.end = INT64_MAX;
    tell(surge);
    push(surge, surge->end_ns, fire_end);
}

static bool is_surge(const struct run_spec *spec, uint32_t load)
{
    const struct spec_load *one = &spec->loads[load];
    /* One of no duration is left out of this arm. */
    return spec->load_count > 1 && one->duration_ns > 0 && one->start_ns > 0 &&
           end_of(one) < spec->limit_ns;
}

void surge_start(struct world *world)
{
    const struct run_spec *spec = world->spec;
    for (uint32_t i = 0; i < spec->load_count; i++) {
        if (!is_surge(spec, i)) {
            continue;
        }
        const struct spec_load *load = &spec->loads[i];
        struct surge *surge = arena_alloc(&world->arena, sizeof(*surge));
        surge->world = world;
        surge->end_ns = end_of(load);
        surge->told = (struct sq_fault_event){
            .fault = spec->fault_count + i,
            .name = load->name,
            .kind = "Load",
            .action = "surge",
            .target = load->client.target != NULL ? load->client.target : "",
        };
        push(surge, load->start_ns, fire_start);
    }
}
