/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * PHOLD on SimGrid; argv[1] is "timers" (the kernel's timers, its fastest way) or "actors" (one
 * actor for each process that sleeps and goes on as the destination: no messages, so the hold model
 * at the price of its context switches). */
#include "tests/bench/peers/model.h"

#include <cstring>
#include <simgrid/kernel/Timer.hpp>
#include <simgrid/s4u.hpp>

static struct model model;

static void send(struct process *from)
{
    double delay_s = model_delay_s(from);
    struct process *to = model_destination(&model, from);
    simgrid::kernel::timer::Timer::set(simgrid::s4u::Engine::get_clock() + delay_s, [to]() {
        model_event(&model, to);
        send(to);
    });
}

static void actor(struct process *process)
{
    for (;;) {
        simgrid::s4u::this_actor::sleep_for(model_delay_s(process));
        model_event(&model, process);
        process = model_destination(&model, process);
    }
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: phold_simgrid timers|actors PROCESSES EVENTS [--cfg=...]\n");
        return 2;
    }
    simgrid::s4u::Engine engine(&argc, argv);
    bool is_timers = strcmp(argv[1], "timers") == 0;
    model_init(&model, is_timers ? "SimGrid-timers" : "SimGrid-actors", argv[2], argv[3]);
    auto *zone = simgrid::s4u::create_full_zone("zone");
    auto *host = zone->create_host("host", 1e9);
    zone->seal();
    for (uint64_t i = 0; i < model.process_count; i++) {
        if (is_timers) {
            send(&model.processes[i]);
        } else {
            simgrid::s4u::Actor::create("actor", host, actor, &model.processes[i]);
        }
    }
    engine.run();
    return 1;
}
