# SPDX-License-Identifier: GPL-3.0-or-later
"""How many seeds of a server at a steady load collapse by chance alone, with nothing that goes wrong: the counts of an
independent prototype (20 seeds of 1000 s for M/M/30 and M/M/1 at 300/s, time-out 1 s, one retry; 100 seeds of 4000 s for a
small server at 10/s, time-out 4 s, three retries, a queue of 100), to be reached within binomial bands.

Both sides are samples, so the question is whether one proportion can have given both counts: Fisher's exact test,
two-sided, with the chance of a false alarm shared out among the points.

    collapse.py SQUALL [light]      `light`: a few points and half the seeds, in seconds. The last line is `N passed, N failed`.
"""
import math
import os
import sqlite3
import subprocess
import sys
import tempfile

ALARM = 1e-3  # chance that a run of all points fails though all proportions are equal
TAIL = 10  # windows at the end of a run in which less than half is answered: collapsed

LARGE = []
ONE = ["system.options.serviceTime=3333333ns", "system.options.servers=1"]
SMALL = [
    "system.options.serviceTime=100ms",
    "system.options.servers=1",
    "system.options.queueLimit=100",
    "client.timeout=4s",
    "client.retry.maxAttempts=4",
    "time.limit=4000s",
]
# name, settings, fresh calls a second, collapsed and seeds of the prototype, is it in the light version?
POINTS = [
    ("M/M/30", LARGE, "286/s", 0, 20, False),
    ("M/M/30", LARGE, "288/s", 2, 20, False),
    ("M/M/30", LARGE, "290/s", 5, 20, False),
    ("M/M/30", LARGE, "292/s", 8, 20, False),
    ("M/M/30", LARGE, "294/s", 17, 20, False),
    ("M/M/30", LARGE, "296/s", 19, 20, False),
    ("M/M/30", LARGE, "298/s", 20, 20, False),
    ("M/M/1", ONE, "290/s", 0, 20, False),
    ("M/M/1", ONE, "292/s", 2, 20, False),
    ("M/M/1", ONE, "294/s", 4, 20, False),
    ("M/M/1", ONE, "296/s", 12, 20, False),
    ("small", SMALL, "7/s", 0, 100, True),
    ("small", SMALL, "7.5/s", 2, 100, False),
    ("small", SMALL, "8/s", 19, 100, False),
    ("small", SMALL, "8.25/s", 47, 100, True),
    ("small", SMALL, "8.5/s", 74, 100, False),
    ("small", SMALL, "8.75/s", 93, 100, False),
    ("small", SMALL, "9/s", 99, 100, True),
]


def fisher(a, n, b, m):
    """Two-sided p-value of a of n against b of m."""

    def log_choose(k, r):
        return math.lgamma(k + 1) - math.lgamma(r + 1) - math.lgamma(k - r + 1)

    def chance(k):
        return math.exp(log_choose(n, k) + log_choose(m, a + b - k) - log_choose(n + m, a + b))

    here = chance(a) * (1 + 1e-9)
    every = (chance(k) for k in range(max(0, a + b - m), min(n, a + b) + 1))
    return sum(p for p in every if p <= here)


def collapsed(squall, folder, settings, rate, seeds):
    """Runs the seeds; returns how many were collapsed at the end, and how many there are."""
    scenario = os.path.join(os.path.dirname(os.path.abspath(__file__)), "collapse.yaml")
    command = [squall, "run", scenario, "--seed", f"1..{seeds}", "--keep-series", "all", "--recheck", "0"]
    for setting in [*settings, f"load.fresh.rate={rate}"]:
        command += ["--set", setting]
    command += ["--restart", "--quiet", "--out", folder]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    data = sqlite3.connect(os.path.join(folder, "results.sqlite"))
    rows = data.execute(
        "SELECT r.run_id, sum(w.offered), sum(w.ok) FROM run r JOIN window w USING(run_id)"
        " WHERE w.t_ns >= r.sim_ns - ? * w.dur_ns GROUP BY r.run_id",
        (TAIL,),
    ).fetchall()
    data.close()
    return sum(ok * 2 < offered for _, offered, ok in rows), len(rows)


def main():
    squall = os.path.abspath(sys.argv[1])
    is_light = sys.argv[2:] == ["light"]
    points = [point for point in POINTS if point[5] or not is_light]
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, settings, rate, expected, seeds, _ in points:
            wanted = seeds // 2 if is_light else seeds
            count, total = collapsed(squall, folder, settings, rate, wanted)
            p = fisher(count, total, expected, seeds)
            is_fine = total == wanted and p >= ALARM / len(points)
            failed += not is_fine
            print(
                f"{'ok  ' if is_fine else 'FAIL'} {name:7} {rate:>7}: {count:3} of {total} collapsed,"
                f" the prototype's {expected} of {seeds} (p = {p:.3g})",
                flush=True,
            )
    print(f"{len(points) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
