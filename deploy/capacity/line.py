"""What the line costs by what was measured, and what a workload takes of it. For model.py."""

import dataclasses
import math
import pathlib
import tomllib

from fit import fitted, gathered, mean, saturation

HERE = pathlib.Path(__file__).resolve().parent
DAY = 86_400
QUARTER = 900

# What each part's seconds of a processor are made of. `seconds`: what it takes when nothing comes.
DRIVERS = {
    "receive": ("seconds", "posts", "events"),
    "normalise": ("seconds", "normalise_batches", "events"),
    "postgres_normalise": ("seconds", "normalise_batches", "events"),
    "compute": ("seconds", "compute_batches", "events", "metric_writes"),
    "postgres_compute": ("seconds", "compute_batches", "events", "metric_writes"),
    "windows": ("seconds", "window_rounds", "ended", "window_reads"),
    "postgres_windows": ("seconds", "window_rounds", "ended", "window_reads"),
    "deliver": ("seconds", "pushed"),
    "postgres_deliver": ("seconds", "pushed"),
    "postgres_background": ("seconds", "events", "metric_writes"),
    "broker": ("seconds", "messages", "events"),
}
STORED = ("event_log", "interactions", "computed_metrics", "window_items", "window_cells", "window_metrics", "metric_sync_log")
# Those of them that have months.
PARTITIONED = ("event_log", "computed_metrics", "window_metrics")
STAGES = ("receive", "normalise", "compute", "windows", "deliver")


class Costs:
    """What was measured, and what follows from it per event, row, batch and message."""

    def __init__(self, path=HERE / "costs.toml"):
        with open(path, "rb") as file:
            told = tomllib.load(file)
        self.runs, self.limits, self.assumed = told["run"], told["limits"], told["assumed"]
        for run in self.runs:
            complete(run)
        self.per = {}
        for part, drivers in DRIVERS.items():
            # A part that was not there says nothing; deliver is not in every run.
            runs = [run for run in self.runs if part in run["cpu"]]
            self.per[part] = fitted(runs, drivers, [run["cpu"][part] for run in runs], 0.25)
        live = [run for run in self.runs if run["rate"] > 0]
        second = lambda run, name: run[name] / run["seconds"]
        self.raw_most = saturation([(second(run, "posts"), second(run, "raw_messages")) for run in live])
        self.normalise_most = saturation([(second(run, "raw_messages"), second(run, "normalise_batches")) for run in live])
        self.compute_most = saturation([(second(run, "events"), second(run, "compute_batches")) for run in live])
        # Messages besides the raw ones: facts, and wake-ups.
        self.facts_a_batch = mean((run["messages"] - run["raw_messages"]) / run["normalise_batches"] for run in live)
        # A round is one process and one backend in turns: what both take of a processor is how long it takes where nothing disturbs.
        both = lambda driver: sum(self.per[part].get(driver, 0.0) for part in ("windows", "postgres_windows"))
        self.round, self.round_ended, self.round_item = both("window_rounds"), both("ended"), both("window_reads")
        self.wal = fitted(live, ("events", "metric_writes"), [run["wal_bytes"] for run in live], 1.0)
        self.message_bytes = mean(run["message_bytes"] / run["events"] for run in live)
        self.broker_written = mean(run["broker_written"] / run["events"] for run in live)
        self.writes = mean(run["metric_writes"] / max(1, run["rows"]["computed_metrics"]) for run in live)
        # Of the interactions that ended, which are those that have rows.
        self.items = mean(run["rows"]["window_items"] / run["ended"] for run in live)
        self.pushes = mean(run["pushed"] / run["ended"] / run["targets"] for run in live if run["pushed"])
        self.logged = mean(run["rows"]["metric_sync_log"] / run["pushed"] for run in live if run["pushed"])
        # The last run that had many rows of it.
        self.bytes = {name: size for run in live for name, size in run.get("row_bytes", {}).items() if name in STORED}
        self.memory = {part: max(run["memory"][part] for run in self.runs if part in run["memory"]) for part in (*STAGES, "broker")}
        backends = [run["backends"] for run in self.runs]
        self.backend = sum(one["bytes"] for one in backends) / max(1, sum(one["count"] for one in backends))


def complete(run):
    # Of the interactions, those that have rows.
    run["ended"] = max(1.0, run["rows"]["computed_metrics"] / run["kpis"])
    # What rounds read again and again.
    run["window_reads"] = run["window_rounds"] * run["window_items"]


@dataclasses.dataclass
class Workload:
    """What comes, and what is made of it. Rates are those of the busiest minutes."""

    events: float = 1000.0
    events_per_post: float = 1.0
    events_per_interaction: float = 5.3
    event_bytes: float = 417.0
    kpis: int = 6  # versions of definitions of interactions that are computed; each a row
    targets: float = 2.0  # rows of an interaction that are pushed
    organisations: int = 1
    queues: int = 40
    busy_hours: float = 10.0  # a day has as many events as so many hours of the busiest minutes
    log_days: float = 90.0
    metric_days: float = 400.0
    sync_days: float = 400.0


@dataclasses.dataclass
class Plan:
    """What that takes."""

    cores: dict
    replicas: dict
    memory: dict
    raw_messages: float
    messages: float
    broker_bytes: float
    wal_bytes: float
    window_late: float
    day_bytes: float
    disk_bytes: float
    largest_month: float
    all_months: float
    postgres: float
    postgres_memory: float
    connections: int


def drive(costs, work, seconds=1.0):
    """What drives the parts, in so many seconds of this workload: the keys that a run has."""
    events, limits = work.events, costs.limits
    interactions = events / work.events_per_interaction
    rows = interactions * work.kpis
    writes = rows * costs.writes
    posts = events / work.events_per_post
    # Of as many replicas as the stage has, each gathers by itself.
    raw = gathered(posts, costs.raw_most * replicas_by(posts, limits["posts_a_receive"]))
    batches = gathered(raw, costs.normalise_most * replicas_by(events, limits["events_a_normalise"]))
    folds = gathered(events, costs.compute_most * replicas_by(events, limits["events_a_compute"]))
    # A quarter hour fills from nothing; a round reads what is in it.
    each = interactions / work.organisations
    items = each * QUARTER * costs.items / 2
    took = round_seconds(costs, each, items)
    rounds = work.organisations / (min(took, 60.0) + limits["windows_every"])
    found = {
        "seconds": 1.0,
        "events": events,
        "posts": posts,
        "interactions": interactions,
        "metric_writes": writes,
        "pushed": interactions * work.targets * costs.pushes,
        "raw_messages": raw,
        "normalise_batches": batches,
        "compute_batches": folds,
        "messages": raw + batches * costs.facts_a_batch,
        "window_rounds": rounds,
        "window_items": items,
        "window_reads": rounds * items,
        "window_round_seconds": took,
        "metric_rows": rows,
        # What one process can do of it; beyond that it falls behind and takes no more.
        "ended": work.organisations * min(each, 1 / max(costs.round_ended, 1e-9)),
        "window_late": 2 * round_seconds(costs, each, 2 * items) + limits["windows_every"],
    }
    return {name: value * seconds if name not in ("window_items", "window_round_seconds", "window_late") else value for name, value in found.items()}


def round_seconds(costs, ended, items):
    """A round adds up what ended since the last one began, and reads what is in the quarter hour; for ever, where more ends than it adds up."""
    share = costs.round_ended * ended
    if share >= 1:
        return math.inf
    return (costs.round + share * costs.limits["windows_every"] + costs.round_item * items) / (1 - share)


def replicas_by(rate, each):
    return max(1, math.ceil(rate / each))


def processors(costs, driven):
    return {part: sum(cost * driven[name] for name, cost in costs.per[part].items()) for part in DRIVERS}


def planned(costs, work):
    limits = costs.limits
    driven = drive(costs, work)
    cpu = processors(costs, driven)
    postgres = sum(value for part, value in cpu.items() if part.startswith("postgres_"))
    cores = {stage: cpu[stage] for stage in STAGES} | {"postgres": postgres, "broker": cpu["broker"]}
    busy = limits["utilisation"]
    replicas = {
        "receive": max(2, replicas_by(driven["posts"], limits["posts_a_receive"]), math.ceil(cpu["receive"] / busy)),
        "normalise": max(2, replicas_by(work.events, limits["events_a_normalise"]), math.ceil(cpu["normalise"] / busy)),
        "compute": max(2, replicas_by(work.events, limits["events_a_compute"]), math.ceil(cpu["compute"] / busy)),
        "windows": max(2, math.ceil(cpu["windows"] / busy)),
        "deliver": max(2, math.ceil(cpu["deliver"] / busy)),
    }
    interactions_a_day = driven["interactions"] * work.busy_hours * 3600
    events_a_day = work.events * work.busy_hours * 3600
    agents = driven["interactions"] * limits["seconds_an_interaction"] / limits["agents_busy"]
    # The six that ship have windows by organisation, queue (30 minutes, day, week, month) and agent (day, week, month).
    groups = work.organisations + work.queues + agents
    window_rows = work.kpis * ((work.organisations + work.queues) * (48 + 1 + 1 / 7 + 1 / 30) + agents * (1 + 1 / 7 + 1 / 30))
    each = costs.bytes
    log_row = each["event_log"] + max(0.0, work.event_bytes - 417.0) * limits["compressed"]
    daily = {
        "event_log": (events_a_day * log_row, work.log_days),
        "interactions": (interactions_a_day * each["interactions"], work.metric_days),
        "computed_metrics": (interactions_a_day * work.kpis * each["computed_metrics"], work.metric_days),
        "window_items": (interactions_a_day * costs.items * each["window_items"] * max(1.0, work.kpis / 6), work.metric_days),
        "window_cells": (groups * each["window_cells"], work.metric_days),
        "window_metrics": (window_rows * each["window_metrics"], work.metric_days),
        "metric_sync_log": (driven["pushed"] * work.busy_hours * 3600 * costs.logged * each["metric_sync_log"], work.sync_days),
    }
    day_bytes = sum(size for size, _ in daily.values())
    disk = sum(size * days for size, days in daily.values())
    wal = costs.wal.get("events", 0) * work.events + costs.wal.get("metric_writes", 0) * driven["metric_writes"]
    cache = min(limits["replay_cache_max"], work.events * 48 * 3600 / replicas["normalise"]) * limits["replay_cache_bytes"]
    memory = {stage: costs.memory[stage] * limits["memory_margin"] for stage in STAGES}
    memory["normalise"] += cache
    memory["windows"] += driven["window_items"] * 2 * limits["window_item_bytes"]
    connections = sum(replicas[stage] * limits["connections"][stage] for stage in STAGES if stage != "receive")
    # What is written again and again within a day or two: open interactions, items of the present, the newest pages of every index.
    hot = (daily["interactions"][0] + daily["window_items"][0] + daily["computed_metrics"][0]) * limits["hot_days"]
    return Plan(
        cores=cores,
        replicas=replicas,
        memory=memory,
        raw_messages=driven["raw_messages"],
        messages=driven["messages"],
        broker_bytes=work.events * costs.message_bytes * max(1.0, work.event_bytes / 417.0),
        wal_bytes=wal * max(1.0, 0.5 + 0.5 * work.event_bytes / 417.0),
        window_late=driven["window_late"],
        day_bytes=day_bytes,
        disk_bytes=disk * limits["disk_margin"],
        largest_month=30 * max(size for size, _ in daily.values()),
        all_months=max(size * days for size, days in (daily[name] for name in PARTITIONED)),
        postgres=postgres,
        postgres_memory=2**30 + hot + connections * costs.backend,
        connections=connections,
    )


def threshold(costs, work, holds, most=1_000_000):
    """The rate from which on it holds; None: not up to the most."""
    at = lambda rate: holds(planned(costs, dataclasses.replace(work, events=rate)))
    if not at(most):
        return None
    low, high = 1.0, float(most)
    if at(low):
        return low
    while high / low > 1.02:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if at(middle) else (middle, high)
    return high


def forms(costs, work):
    """Where each part needs its next form: the rate, why, and what then."""
    limits = costs.limits
    busy = limits["utilisation"]
    found = []
    for stage in ("receive", "normalise", "compute"):
        found.append((stage, lambda plan, stage=stage: plan.replicas[stage] > 2, "two replicas are not enough", "more replicas"))
    found += [
        ("windows", lambda plan: plan.window_late > limits["windows_late"], f"the windows of one organisation are {limits['windows_late']:g} s late at the end of a quarter hour",
         "organisations apart: several clusters, or fewer groups and definitions with windows"),
        ("deliver", lambda plan: plan.cores["deliver"] > 2 * busy, "two replicas are not enough", "more replicas; the platforms' limits come long before"),
        ("PostgreSQL", lambda plan: plan.postgres + limits["readers"] > busy * limits["postgres_small"], f"writers and readers fill {limits['postgres_small']} cores", "a read replica for dashboards and exports"),
        ("PostgreSQL", lambda plan: plan.all_months > limits["scanned_bytes"],
         f"all months of one table are above {size(limits['scanned_bytes'])}, which a query that names no time reads for a quarter of an hour",
         "queries of years bounded by time, so that only those months are read; months that nobody reads dropped or detached"),
        ("PostgreSQL", lambda plan: plan.largest_month > limits["month_bytes"], f"a month of its largest table is above {size(limits['month_bytes'])}",
         "shorter retention of the log, or TimescaleDB's compression of past months"),
        ("PostgreSQL", lambda plan: plan.wal_bytes > limits["wal_bytes"], f"{size(limits['wal_bytes'])}/s of WAL, what one disk and one standby take",
         "Citus, distributed by interaction, or several clusters by organisation"),
        ("PostgreSQL", lambda plan: plan.postgres > busy * limits["postgres_large"], f"writers fill {limits['postgres_large']} cores", "Citus, distributed by interaction, or several clusters by organisation"),
        ("RabbitMQ", lambda plan: plan.cores["broker"] > busy * limits["broker_cores"], f"the nodes' {limits['broker_cores']} cores are full", "nodes with more cores, queues' leaders apart"),
        ("RabbitMQ", lambda plan: plan.raw_messages > limits["queue_messages"], f"{limits['queue_messages']:,} messages/s in the queue `raw`, what one quorum queue takes",
         "several lines, each with a queue prefix of its own, by subscription"),
        ("RabbitMQ", lambda plan: plan.broker_bytes > limits["broker_bytes"], f"{size(limits['broker_bytes'])}/s into a node, which sends each to two others", "several lines, each with a queue prefix of its own, by subscription"),
    ]
    rows = [(part, threshold(costs, work, holds), why, then) for part, holds, why, then in found]
    return sorted(rows, key=lambda row: row[1] if row[1] is not None else math.inf)


def size(value):
    for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
        if value < 1000 or unit == "PB":
            return f"{value:.3g} {unit}" if value < 999.5 else f"{value:.0f} {unit}"
        value /= 1000
    return ""
