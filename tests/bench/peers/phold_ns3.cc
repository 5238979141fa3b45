/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * PHOLD on ns-3's simulator core; argv[1] is one of its schedulers, for example PriorityQueue. */
#include "tests/bench/peers/model.h"

#include <ns3/core-module.h>
#include <string>

static struct model model;

static void on_event(struct process *process);

static void send(struct process *from)
{
    ns3::Time delay = ns3::NanoSeconds(static_cast<int64_t>(model_delay_s(from) * 1e9));
    struct process *to = model_destination(&model, from);
    ns3::Simulator::Schedule(delay, &on_event, to);
}

static void on_event(struct process *process)
{
    model_event(&model, process);
    send(process);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: phold_ns3 SCHEDULER PROCESSES EVENTS\n");
        return 2;
    }
    std::string name = std::string("ns-3-") + argv[1];
    ns3::ObjectFactory factory(std::string("ns3::") + argv[1] + "Scheduler");
    ns3::Simulator::SetScheduler(factory);
    model_init(&model, name.c_str(), argv[2], argv[3]);
    for (uint64_t i = 0; i < model.process_count; i++) {
        send(&model.processes[i]);
    }
    ns3::Simulator::Run();
    return 1;
}
