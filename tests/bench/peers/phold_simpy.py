# SPDX-License-Identifier: GPL-3.0-or-later
"""PHOLD on SimPy, with callbacks on time-outs: its fastest way. Usage: phold_simpy.py PROCESSES EVENTS"""
import math
import random
import resource
import sys
import time

import simpy


class Phold:
    def __init__(self, count, events):
        self.count = count
        self.events = events
        self.warm_up = events // 2
        self.fired = 0
        self.begin_ns = 0
        self.begin_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        self.random = random.Random(1).random
        self.received = [0] * count
        self.environment = simpy.Environment()

    def send(self):
        random_draw = self.random
        delay = 0.1 - 0.9 * math.log(1.0 - random_draw())
        to = int(random_draw() * self.count)
        timeout = self.environment.timeout(delay, to)
        timeout.callbacks.append(self.on_event)

    def on_event(self, event):
        self.received[event.value] += 1
        self.fired += 1
        if self.fired == self.warm_up:
            self.begin_ns = time.process_time_ns()
        elif self.fired == self.warm_up + self.events:
            self.finish()
        self.send()

    def finish(self):
        ns = (time.process_time_ns() - self.begin_ns) / self.events
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        each = (peak - self.begin_bytes) / self.count
        print(f"SimPy {self.count} {ns:.1f} {each:.0f}")
        sys.exit(0)


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: phold_simpy.py PROCESSES EVENTS")
    phold = Phold(int(sys.argv[1]), int(sys.argv[2]))
    for _ in range(phold.count):
        phold.send()
    phold.environment.run()


main()
