#!/usr/bin/env python3
"""How much the line takes at how many events a second, from what was measured (costs.toml).

    model.py plan [--events 1000] [--…]   one workload, in full; --json for programs
    model.py table                        100 to 100,000 events/s, as in README.md
    model.py check RUNS.toml              runs of deploy/local/bench.sh: predicted beside measured
    model.py readme [--check]             writes the tables into README.md, or ends with 1 where they differ

Python 3.11 and nothing else. README.md has the formulae and what is assumed.
"""

import argparse
import dataclasses
import json
import math
import pathlib
import sys
import tomllib

# The folder is the repository's: no byte code in it.
sys.dont_write_bytecode = True

from line import HERE, STAGES, Costs, Workload, complete, drive, forms, planned, processors, round_seconds, size

RATES = (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)


def late(value):
    return f"{value:.1f} s" if math.isfinite(value) else "ever later"


def cores(value):
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"


def rounded(rate):
    if rate is None:
        return "above 1,000,000"
    digits = -int(math.floor(math.log10(rate))) + 1
    return f"{round(rate, digits):,.0f}"


def table(costs):
    """100 to 100,000 events a second."""
    stages = " | ".join(STAGES)
    lines = [
        f"| events/s | {stages} | PostgreSQL cores | its memory | its connections | WAL | disk a day | disk kept | RabbitMQ cores | messages/s | windows late |",
        "|" + " --- |" * (len(STAGES) + 10),
    ]
    for rate in RATES:
        plan = planned(costs, Workload(events=rate))
        parts = " | ".join(f"{plan.replicas[stage]} × {cores(plan.cores[stage] / plan.replicas[stage])}" for stage in STAGES)
        lines.append(
            f"| {rate:,} | {parts} | {cores(plan.postgres)} | {size(plan.postgres_memory)} | {plan.connections} | {size(plan.wal_bytes)}/s | {size(plan.day_bytes)} | "
            f"{size(plan.disk_bytes)} | {cores(plan.cores['broker'])} | {plan.messages:,.0f} | {late(plan.window_late)} |"
        )
    return "\n".join(lines)


def forms_table(costs):
    lines = ["| from events/s | part | because | next form |", "| --- | --- | --- | --- |"]
    for part, rate, why, then in forms(costs, Workload()):
        lines.append(f"| {rounded(rate)} | {part} | {why} | {then} |")
    return "\n".join(lines)


UNITS = {"seconds": "idle, of a core", "posts": "a POST", "events": "an event", "normalise_batches": "a transaction", "compute_batches": "a transaction",
         "metric_writes": "a metric row written", "window_rounds": "a round", "ended": "an interaction", "window_reads": "an item read again", "pushed": "a row pushed", "messages": "a message"}


def short(seconds):
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} µs"


def costs_table(costs):
    lines = ["| part | seconds of a core |", "| --- | --- |"]
    for part, found in costs.per.items():
        words = [f"{value * 100:.2g} % {UNITS[name]}" if name == "seconds" else f"{short(value)} {UNITS[name]}" for name, value in found.items() if value > 0]
        lines.append(f"| {part.replace('postgres_', 'PostgreSQL, ')} | {', '.join(words) or 'nothing'} |")
    return "\n".join(lines)


def bytes_table(costs):
    lines = ["| | |", "| --- | --- |"]
    lines += [f"| `{name}` | {value:,.0f} bytes a row, indexes included |" for name, value in costs.bytes.items()]
    lines.append(f"| WAL | {costs.wal.get('events', 0):,.0f} bytes an event and {costs.wal.get('metric_writes', 0):,.0f} a metric row written; whole pages after checkpoints come besides |")
    lines.append(f"| RabbitMQ | {costs.message_bytes:,.0f} bytes in and {costs.broker_written:,.0f} bytes written to disk an event |")
    lines.append("| memory, the most | " + ", ".join(f"{part} {size(value)}" for part, value in costs.memory.items()) + f", a backend of PostgreSQL {size(costs.backend)} |")
    return "\n".join(lines)


def compared(costs, runs):
    """Predicted beside measured, part by part, in cores; and how far off the whole is."""
    lines = ["| events/s | part | predicted | measured | off by |", "| --- | --- | --- | --- | --- |"]
    for run in (run for run in runs if run["events"]):
        work = Workload(events=run["events"] / run["seconds"], events_per_post=run["events"] / max(1, run["posts"]))
        driven = drive(costs, work)
        # How full the quarter hour was, and how many calls ended in it, is chance in a run this short.
        ended = run["ended"] / run["seconds"]
        rounds = 1 / (min(round_seconds(costs, ended, run["window_items"]), 60.0) + costs.limits["windows_every"])
        driven |= {"ended": ended} |  {"window_rounds": rounds, "window_items": run["window_items"], "window_reads": rounds * run["window_items"]}
        told = processors(costs, driven)
        parts = {stage: (told[stage], run["cpu"].get(stage, 0) / run["seconds"]) for stage in STAGES}
        of = lambda cpu: sum(value for part, value in cpu.items() if part.startswith("postgres_"))
        parts["PostgreSQL"] = (of(told), of(run["cpu"]) / run["seconds"])
        parts["RabbitMQ"] = (told["broker"], run["cpu"]["broker"] / run["seconds"])
        parts["**all**"] = tuple(sum(one[i] for one in parts.values()) for i in (0, 1))
        wal = costs.wal.get("events", 0) * work.events + costs.wal.get("metric_writes", 0) * driven["metric_writes"]
        for part, (foreseen, found) in parts.items():
            lines.append(f"| {work.events:,.0f} | {part} | {foreseen:.3f} | {found:.3f} | {off(foreseen, found)} |")
        measured = run["wal_bytes"] / run["seconds"]
        lines.append(f"| {work.events:,.0f} | WAL, MB/s | {wal / 1e6:.2f} | {measured / 1e6:.2f} | {off(wal, measured)} |")
        messages = run["messages"] / run["seconds"]
        lines.append(f"| {work.events:,.0f} | messages/s | {driven['messages']:,.0f} | {messages:,.0f} | {off(driven['messages'], messages)} |")
    return "\n".join(lines)


def off(foreseen, found):
    return f"{100 * (foreseen / found - 1):+.0f} %" if found else "–"


def readme(costs):
    """README.md with its tables as they are now; each stands between two marks."""
    path = HERE / "README.md"
    text = path.read_text(encoding="utf-8")
    with open(HERE / "checked.toml", "rb") as file:
        checked = tomllib.load(file)["run"]
    for run in checked:
        complete(run)
    for name, made in (("costs", costs_table(costs)), ("bytes", bytes_table(costs)), ("table", table(costs)), ("forms", forms_table(costs)),
                       ("checked", compared(costs, checked))):
        begin, end = f"<!-- {name}: by model.py -->\n", f"<!-- end of {name} -->"
        head, rest = text.split(begin)
        text = head + begin + made + "\n" + end + rest.split(end, 1)[1]
    return path, text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--costs", default=HERE / "costs.toml", type=pathlib.Path)
    commands = parser.add_subparsers(dest="command", required=True)
    plan = commands.add_parser("plan")
    plan.add_argument("--json", action="store_true")
    for field in dataclasses.fields(Workload):
        plan.add_argument("--" + field.name.replace("_", "-"), type=type(field.default), default=field.default)
    commands.add_parser("table")
    commands.add_parser("check").add_argument("runs", type=pathlib.Path)
    commands.add_parser("readme").add_argument("--check", action="store_true")
    told = parser.parse_args()
    costs = Costs(told.costs)
    if told.command == "plan":
        work = Workload(**{field.name: getattr(told, field.name) for field in dataclasses.fields(Workload)})
        made = planned(costs, work)
        if told.json:
            told = dataclasses.asdict(made)
            print(json.dumps({name: None if value == math.inf else value for name, value in told.items()}))
            return 0
        for name in made.replicas:
            print(f"{name:<12} {made.replicas[name]:>5} replicas, {made.cores[name]:8.2f} cores in all, {size(made.memory[name])} each")
        print(f"{'postgres':<12} {made.postgres:8.2f} cores, {size(made.postgres_memory)}, {made.connections} connections, {size(made.wal_bytes)}/s of WAL")
        print(f"{'disk':<12} {size(made.day_bytes)} a day, {size(made.disk_bytes)} kept")
        print(f"{'broker':<12} {made.cores['broker']:8.2f} cores, {made.messages:,.0f} messages/s, {size(made.broker_bytes)}/s in")
        print(f"{'windows':<12} {late(made.window_late)} late at most, of one organisation")
        for part, rate, why, then in forms(costs, work):
            print(f"from {rounded(rate):>16} events/s: {part}: {why}: {then}")
    elif told.command == "table":
        print(table(costs), forms_table(costs), sep="\n\n")
    elif told.command == "check":
        with open(told.runs, "rb") as file:
            runs = tomllib.load(file)["run"]
        for run in runs:
            complete(run)
        print(compared(costs, runs))
    else:
        path, text = readme(costs)
        if told.check:
            return int(path.read_text(encoding="utf-8") != text)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
