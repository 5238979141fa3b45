# SPDX-License-Identifier: GPL-3.0-or-later
"""How often does a decomposition agree with brute force? The scenario decomposition-holds as many small campaigns, each of
its own seeds, for 1, 3 and 5 replicas of SQLite on libraft. Of each campaign:

* plain: what clients saw against what the sum of the episodes says, at 95 %;
* controlled: the same without the luck of few long repairs;
* gate: the verdict of squall, at 95 % for all of them together.

An interval of 95 % is left once in twenty times, so what is judged is whether so many failures or more have a chance of
ALARM at least. Over all campaigns together the difference is judged by its own scatter, which knows nothing of any
interval. Last, disagreements are planted: campaigns with an election time-out of 2 s instead of 1 s, whose clients are
held against the sum of episodes with 1 s; the sharp comparison must find nearly all of them.

    decomposition.py SQUALL [CAMPAIGNS [SEEDS]]    20 campaigns of 4 seeds. The last line is `N passed, N failed`.
"""
import math
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SCENARIO = os.path.join(ROOT, "scenarios", "availability", "decomposition-holds.yaml")
ALARM = 1e-3  # chance of a false alarm of each judgement
ERRORS = 4  # standard errors that the mean of all campaigns may be off
PLANTED = 5  # campaigns with another time-out
AGREES_GATE = 0.95


def tail(failures, trials, chance):
    """Chance of so many failures or more."""
    return sum(
        math.comb(trials, k) * chance**k * (1 - chance) ** (trials - k) for k in range(failures, trials + 1)
    )


def campaign(squall, folder, seeds, settings=()):
    """Runs it; returns for each number of replicas what the summary has put into the file."""
    command = [squall, "run", SCENARIO, "--seed", f"{seeds[0]}..{seeds[1]}", "--recheck", "0", "--quiet", "--restart"]
    for setting in settings:
        command += ["--set", setting]
    done = subprocess.run([*command, "--out", folder], stdout=subprocess.DEVNULL, check=False)
    if done.returncode not in (0, 99):
        sys.exit(f"{' '.join(command)}: exit status {done.returncode}")
    data = sqlite3.connect(os.path.join(folder, "results.sqlite"))
    cells = {}
    for nodes, name, value in data.execute(
        "SELECT p.value, m.name, m.value FROM model_value m JOIN cell_param p USING(cell_id)"
        " WHERE m.model = 'validation' AND p.name = 'system.nodes'"
    ):
        cells.setdefault(int(nodes), {})[name] = value
    data.close()
    return cells


def agrees(seen, said, whose):
    """At 95 %: one's clients, another's sum."""
    allowed = math.hypot(seen[f"{whose}-half"], said["said-half"]) + said["coincidence"]
    return abs(seen[whose] - said["said"]) <= allowed


class Report:
    def __init__(self):
        self.passed = 0
        self.failed = 0

    def judge(self, is_fine, text):
        self.passed += is_fine
        self.failed += not is_fine
        print(f"{'ok  ' if is_fine else 'FAIL'} {text}", flush=True)


def judge_cell(report, nodes, cells):
    for whose in ("seen", "controlled"):
        title = "plain" if whose == "seen" else whose
        count = sum(agrees(cell, cell, whose) for cell in cells)
        chance = tail(len(cells) - count, len(cells), 0.05)
        report.judge(
            chance >= ALARM, f"{nodes} replicas, {title}: {count} of {len(cells)} campaigns agree (p = {chance:.3g})"
        )
    for whose in ("seen", "controlled"):
        differences = [cell[whose] - cell["said"] for cell in cells]
        mean = statistics.fmean(differences)
        scatter = statistics.stdev(differences)
        error = scatter / math.sqrt(len(differences))
        known = statistics.fmean(cell["coincidence"] for cell in cells)
        said = statistics.fmean(cell["said"] for cell in cells)
        half = statistics.fmean(math.hypot(cell[f"{whose}-half"], cell["said-half"]) for cell in cells)
        report.judge(
            abs(mean) <= ERRORS * error + known,
            f"{nodes} replicas, {'plain' if whose == 'seen' else whose}: all together {mean:+.3g} +- {error:.2g} of"
            f" {said:.4g}, {known:.2g} are known; half-width {half / scatter:.2f} times the scatter (1.96 is right)",
        )


def main():
    squall = os.path.abspath(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    seeds = int(sys.argv[3]) if len(sys.argv) > 3 else 4
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        campaigns = [campaign(squall, folder, (i * seeds + 1, (i + 1) * seeds)) for i in range(count)]
        planted = [
            campaign(squall, folder, (i * seeds + 1, (i + 1) * seeds), ["system.options.electionTimeout=2s"])
            for i in range(min(PLANTED, count))
        ]
    for nodes in sorted(campaigns[0]):
        judge_cell(report, nodes, [cells[nodes] for cells in campaigns])
    verdicts = [all(cell["agrees"] == 1 for cell in cells.values()) for cells in campaigns]
    chance = tail(count - sum(verdicts), count, 1 - AGREES_GATE)
    report.judge(chance >= ALARM, f"gate: {sum(verdicts)} of {count} campaigns validated (p = {chance:.3g})")
    for nodes in sorted(set(planted[0]) - {1}):
        found = sum(not agrees(late[nodes], cells[nodes], "controlled") for late, cells in zip(planted, campaigns))
        wanted = len(planted) - 1
        report.judge(found >= wanted, f"{nodes} replicas, planted: {found} of {len(planted)} disagreements found")
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
