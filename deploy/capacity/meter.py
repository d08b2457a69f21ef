#!/usr/bin/env python3
"""What a run of the line has cost: processor seconds of every part, bytes, messages, rows. For deploy/local/bench.sh.

    meter.py note FILE --process NAME=PID… --ops NAME=PORT… --postgres PID --broker PID --said FILE
    meter.py run BEFORE AFTER --name … --command … --rate … (prints one [[run]] of costs.toml)

`note` reads /proc, the metrics of the processes and, by psql ($PSQL, $KPILINE_DATABASE_URL), what PostgreSQL knows of itself. Seconds of a
processor are counted, not of the clock, so that a machine which does other work as well changes little. PostgreSQL's are told apart by whose
connections its backends serve; what serves nobody (writers, vacuum) is `postgres_background`.
"""

import argparse
import datetime
import json
import os
import re
import subprocess
import urllib.request

TICKS = os.sysconf("SC_CLK_TCK")

# Of tables in months, all of them. Indexes, TOAST and what is dead but not yet reused are in the bytes.
TABLES = """
SELECT json_object_agg(name, bytes) FROM (
    SELECT regexp_replace(c.relname, '_y[0-9]{4}m[0-9]{2}$', '') AS name, sum(pg_total_relation_size(c.oid))::bigint AS bytes
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relkind = 'r' GROUP BY 1) t
"""
COUNTED = (
    "event_log raw_messages interactions computed_metrics window_items window_cells window_metrics sync_queue metric_sync_log"
    " metric_sync_requests dirty_marks"
).split()
ROWS = "SELECT json_build_object(" + ", ".join(f"'{name}', (SELECT count(*) FROM {name})" for name in COUNTED) + ")"
# Of the last two quarter hours that have anything, because these are what every round reads.
ITEMS = """
SELECT coalesce(json_agg(items ORDER BY cell DESC), '[]') FROM (
    SELECT cell, count(*) AS items FROM window_items GROUP BY cell ORDER BY cell DESC LIMIT 2) t
"""
WAL = "SELECT json_build_object('bytes', wal_bytes::bigint, 'pages', wal_fpi, 'records', wal_records) FROM pg_stat_wal"
BACKENDS = """
SELECT json_agg(json_build_array(pid, backend_type, coalesce(usename, ''), coalesce(application_name, ''))) FROM pg_stat_activity
WHERE pid <> pg_backend_pid()
"""


def asked(statement):
    psql = os.environ.get("PSQL", "psql")
    command = [psql, "-qXAt", "-v", "ON_ERROR_STOP=1", "-d", os.environ["KPILINE_DATABASE_URL"], "-c", statement]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def stat(pid):
    """Seconds of the process, of its children that have ended, and when it began."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    own, ended = (int(fields[11]) + int(fields[12])) / TICKS, (int(fields[13]) + int(fields[14])) / TICKS
    return own, ended, int(fields[19])


def memory(pid):
    found = {}
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        for line in file:
            name, value = line.split(":", 1)
            if name in ("VmRSS", "VmHWM", "RssAnon"):
                found[name] = int(value.split()[0]) * 1024
    return found


def written(pid):
    with open(f"/proc/{pid}/io", encoding="utf-8") as file:
        return int(re.search(r"^write_bytes: (\d+)", file.read(), re.M)[1])


def metrics(port):
    found = {}
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        for line in answer.read().decode().splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                found[name] = float(value)
    return found


def postgres(pid):
    own, ended, _ = stat(pid)
    backends = {}
    for process, kind, user, application in asked(BACKENDS):
        try:
            seconds, _, began = stat(process)
            held = memory(process).get("RssAnon", 0)
        except (FileNotFoundError, ProcessLookupError):
            continue
        backends[f"{process} {began}"] = [seconds, kind, user, application, held]
    return {"postmaster": own, "ended": ended, "backends": backends}


def note(told):
    noted = {"ops": {name: metrics(port) for name, port in pairs(told.ops)}}
    # Counting rows is work of PostgreSQL: before the first look and after the last one.
    if told.first:
        noted |= {"tables": asked(TABLES), "rows": asked(ROWS), "items": asked(ITEMS), "wal": asked(WAL)}
    processes = dict(pairs(told.process))
    noted["cpu"] = {name: sum(stat(pid)[:2]) for name, pid in processes.items()}
    noted["memory"] = {name: memory(pid) for name, pid in processes.items()}
    noted["broker"] = {"cpu": sum(stat(told.broker)[:2]), "memory": memory(told.broker), "written": written(told.broker)}
    with open(told.said, encoding="utf-8") as file:
        numbers = [int(number) for number in re.findall(r"\d+", file.read())]
    noted["broker"] |= dict(zip(("received", "delivered", "bytes_in", "bytes_out"), numbers, strict=True))
    noted["postgres"] = postgres(told.postgres)
    noted["at"] = float(told.at or 0) or datetime.datetime.now(datetime.UTC).timestamp()
    if not told.first:
        noted |= {"wal": asked(WAL), "tables": asked(TABLES), "rows": asked(ROWS), "items": asked(ITEMS)}
    with open(told.file, "w", encoding="utf-8") as file:
        json.dump(noted, file)


def pairs(words):
    for word in words:
        name, number = word.split("=", 1)
        yield name, int(number)


def part_of(kind, user, application):
    if kind != "client backend":
        return "postgres_background"
    if user == "kpiline_windows":
        return "postgres_windows"
    for name, part in (("kpiline ingest", "normalise"), ("kpiline compute", "compute"), ("kpiline deliver", "deliver")):
        if application.startswith(name):
            return f"postgres_{part}"
    return None  # whoever looks


def processors(before, after):
    cpu = {name: after["cpu"][name] - before["cpu"][name] for name in after["cpu"]}
    cpu["broker"] = after["broker"]["cpu"] - before["broker"]["cpu"]
    then, now = before["postgres"], after["postgres"]
    background = now["postmaster"] - then["postmaster"] + now["ended"] - then["ended"]
    for backend, (seconds, kind, user, application, _) in now["backends"].items():
        spent = seconds - then["backends"].get(backend, [0])[0]
        part = part_of(kind, user, application)
        if part == "postgres_background":
            background += spent
        elif part:
            cpu[part] = cpu.get(part, 0) + spent
    # One that has ended is in the postmaster's sum with all it ever took.
    gone = set(then["backends"]) - set(now["backends"])
    cpu["postgres_background"] = background - sum(then["backends"][one][0] for one in gone)
    return cpu


def grown(before, after, process, metric):
    return after["ops"][process].get(metric, 0) - before["ops"][process].get(metric, 0)


def quantile(before, after, process, metric, share):
    """The bound of the bucket that has it: at most so long."""
    found = []
    for name, value in after["ops"][process].items():
        bucket = re.fullmatch(re.escape(metric) + r'_bucket\{le="([^"]+)"\}', name)
        if bucket:
            found.append((float(bucket[1].replace("+Inf", "inf")), value - before["ops"][process].get(name, 0)))
    found.sort()
    total = found[-1][1] if found else 0
    return next((bound for bound, count in found if total and count >= share * total), 0.0)


def figure(value):
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, float):
        return f"{value:.6g}" if value != int(value) else f"{int(value)}.0"
    return str(value)


def table(entries):
    return "{ " + ", ".join(f"{name} = {figure(value)}" for name, value in entries.items()) + " }"


def run(told):
    with open(told.before, encoding="utf-8") as file:
        before = json.load(file)
    with open(told.after, encoding="utf-8") as file:
        after = json.load(file)
    rows = {name: after["rows"][name] - before["rows"][name] for name in COUNTED}
    broker = {name: after["broker"][name] - before["broker"][name] for name in ("received", "delivered", "bytes_in", "bytes_out", "written")}
    rounds = grown(before, after, "windows", "kpiline_window_round_seconds_count")
    spent = grown(before, after, "windows", "kpiline_window_round_seconds_sum")
    pushed = 0
    if "deliver" in after["ops"]:
        pushed = int(grown(before, after, "deliver", 'kpiline_deliver_rows_total{fate="accepted"}'))
    lines = {
        "name": told.name,
        "command": told.command,
        "date": told.date,
        "rate": told.rate,
        "kpis": told.kpis,
        "targets": told.targets,
        "seconds": round(after["at"] - before["at"], 2),
        "events": rows["event_log"],
        "posts": told.posts,
        "interactions": rows["interactions"],
        "sessions": int(grown(before, after, "compute", "kpiline_compute_sessions_total")),
        "metric_writes": int(grown(before, after, "compute", "kpiline_compute_metrics_written_total")),
        "pushed": pushed,
        "raw_messages": rows["raw_messages"],
        "normalise_batches": int(grown(before, after, "normalise", "kpiline_normalise_batch_seconds_count")),
        "compute_batches": int(grown(before, after, "compute", "kpiline_compute_batch_seconds_count")),
        "messages": broker["received"],
        "message_bytes": broker["bytes_in"],
        "broker_written": broker["written"],
        "wal_bytes": after["wal"]["bytes"] - before["wal"]["bytes"],
        "wal_pages": after["wal"]["pages"] - before["wal"]["pages"],
        "window_rounds": int(rounds),
        "window_round_seconds": round(spent / rounds, 4) if rounds else 0.0,
        "window_items": (sum(before["items"]) + sum(after["items"])) // 2,
        "metric_within": quantile(before, after, "compute", "kpiline_event_to_metric_seconds", 0.99),
    }
    text = ["[[run]]", *(f"{name} = {figure(value)}" for name, value in lines.items())]
    cpu = {name: round(value, 2) for name, value in sorted(processors(before, after).items())}
    text.append(f"cpu = {table(cpu)}")
    text.append(f"memory = {table({name: most['VmHWM'] for name, most in after['memory'].items()} | {'broker': after['broker']['memory']['VmHWM']})}")
    backends = [held for _, kind, _, _, held in after["postgres"]["backends"].values() if kind == "client backend"]
    text.append(f"backends = {table({'count': len(backends), 'bytes': sum(backends)})}")
    text.append(f"rows = {table({name: rows[name] for name in COUNTED if name in rows})}")
    text.append(f"bytes = {table({name: after['tables'].get(name, 0) - before['tables'].get(name, 0) for name in COUNTED})}")
    # Of all there is by then, what came before included: few rows more or less reuse what room there is.
    many = {name: after["tables"][name] / after["rows"][name] for name in COUNTED if after["rows"][name] >= 5000}
    text.append(f"row_bytes = {table({name: round(each, 1) for name, each in many.items()})}")
    print("\n".join(text) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    noting = commands.add_parser("note")
    noting.add_argument("file")
    noting.add_argument("--process", action="append", default=[])
    noting.add_argument("--ops", action="append", default=[])
    noting.add_argument("--postgres", type=int, required=True)
    noting.add_argument("--broker", type=int, required=True)
    noting.add_argument("--said", required=True, help="a file with the broker's own counts")
    noting.add_argument("--first", action="store_true", help="before the run, not after it")
    noting.add_argument("--at", help="the instant that counts, instead of now")
    noting.set_defaults(do=note)
    running = commands.add_parser("run")
    running.add_argument("before")
    running.add_argument("after")
    running.add_argument("--name", required=True)
    running.add_argument("--command", required=True)
    running.add_argument("--date", default=datetime.date.today().isoformat())
    running.add_argument("--rate", type=float, required=True)
    running.add_argument("--posts", type=int, required=True)
    running.add_argument("--kpis", type=int, required=True, help="definitions of interactions that were computed")
    running.add_argument("--targets", type=int, required=True, help="rows of an interaction that were pushed")
    running.set_defaults(do=run)
    told = parser.parse_args()
    told.do(told)


if __name__ == "__main__":
    main()
