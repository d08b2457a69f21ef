"""The truth about window metrics, the naive way: every value in a list, every list added up for every window it lies in.

usage: windows.py --events EVENTS.jsonl --states STATES.jsonl [--schedules SCHEDULES.jsonl] --places PLACES.toml --catalogue FOLDER
                  [--tenant TENANT] > truth.tsv

Reads the definitions (TOML files of the folder, and `../schedules`) for what is declared: groups, sizes, what puts a value into a window, the
aggregations, the parameters. What a KPI means is in `meanings.py`. Writes one row a window
as PostgreSQL's COPY reads it: metric, version, group_by, group_key, size, start, end (milliseconds), zone, items, numerator, denominator,
scale, minimum, maximum, value, percentiles (JSON). Percentiles are exact, by nearest rank.
"""

import argparse
import json
import pathlib
import sys
import tomllib

import agents
import interactions
import journeys
import meanings
from local import QUARTER_MS, Calendars, Schedule

SCALES = {"seconds": 1_000, "count": 1, "share": 1_000_000, "number": 1_000_000}
DIMENSIONS = ["queue", "media", "direction", "agent", "team", "platform"]


class Places:
    """Whose clock counts, and who belongs where."""

    def __init__(self, document, tenant):
        def own(kind):
            return [entry for entry in document.get(kind, []) if entry.get("tenant", tenant) == tenant]

        organisation = own("organisation")[0]
        self.organisation, self.platform = organisation["zone"], organisation.get("platform")
        self.queues = {entry["id"]: entry["zone"] for entry in own("queue")}
        self.teams = {entry["id"]: entry.get("zone") for entry in own("team")}
        assert not any("from" in entry for entry in own("agent")), "agents who move are not thought of here"
        self.agents = {entry["id"]: entry for entry in own("agent")}
        self.stated = {}

    def team(self, agent):
        return self.agents.get(agent, {}).get("team")

    def zone_of_agent(self, agent):
        return self.agents.get(agent, {}).get("zone") or self.stated.get(agent)

    def zone(self, group):
        """The zone of a group: the agent's, the team's, the queue's, the organisation's."""
        agent, team, queue = group.get("agent"), group.get("team"), group.get("queue")
        return (
            (agent and self.zone_of_agent(agent)) or (team and self.teams.get(team)) or (queue and self.queues.get(queue))
            or self.organisation
        )


class World:
    """What the meanings need besides an interaction."""

    def __init__(self, places, schedules):
        self.places = places
        self.hours = next(schedule for schedule in schedules.values() if schedule.name == "eight_to_six@1")

    def zone(self, call):
        first = call.taken[0] if call.taken else None
        return (first and (self.places.agents.get(first.agent, {}).get("zone") or first.zone)) or self.places.zone({"queue": call.queue})

    def in_hours(self, call):
        return self.hours.contains(self.zone(call), call.started_at)

    def business(self, call):
        return self.hours.business_millis(self.zone(call), call.started_at, call.answered_at)


class Value:
    """Something that counts in a window: where it belongs, when, how much of what."""

    __slots__ = ("at", "dimensions", "sum", "weight")

    def __init__(self, at, dimensions, sum, weight=1):
        self.at, self.dimensions, self.sum, self.weight = at, dimensions, sum, weight


def dimensions(places, queue, agent):
    return {"queue": queue, "agent": agent, "team": places.team(agent), "platform": places.platform}


def counted(rule, offered, answered, ended, started):
    """The instant that puts a value into a window; what is not stated falls back."""
    if rule == "offered":
        return offered
    order = (answered, ended) if rule == "answered" else (ended,)
    return next((at for at in order if at is not None), started)


def of_interactions(definition, calls, world):
    name, rule = definition["name"], definition.get("counted", "ended")
    with_world = meanings.WITH_WORLD.get(name)
    for call in calls.values():
        if call.outcome is None:
            continue
        value = with_world(call, world) if with_world else meanings.INTERACTION[name](call)
        if value is not None:
            at = counted(rule, call.offered_at, call.answered_at, call.ended_at, call.started_at)
            agent = call.taken[0].agent if call.taken else None
            yield Value(at, dimensions(world.places, call.queue, agent), value)


def of_legs(definition, calls, world):
    name, rule = definition["name"], definition.get("counted", "ended")
    for call in calls.values():
        if call.outcome is None:
            continue
        for leg in call.legs:
            value = meanings.LEG[name](leg)
            if value is not None:
                at = counted(rule, leg.started_at, leg.answered_at, leg.ended_at, leg.started_at)
                yield Value(at, dimensions(world.places, leg.queue, leg.agent), value)


def of_journeys(definition, calls, world):
    name, rule = definition["name"], definition.get("counted", "ended")
    within = journeys.WITHIN[definition["journey"]["within"]]
    for contact in journeys.contacts(calls, within):
        call = contact.call
        value = meanings.JOURNEY[name](contact) if call.outcome is not None else None
        if value is not None:
            at = counted(rule, call.offered_at, call.answered_at, call.ended_at, call.started_at)
            agent = call.taken[0].agent if call.taken else None
            yield Value(at, dimensions(world.places, call.queue, agent), value)


def of_agents(definition, people, world):
    judge = meanings.TIME[definition["name"]]
    for agent, person in people.items():
        for quarter, numerator, denominator in person.cells(judge):
            yield Value(quarter * QUARTER_MS, dimensions(world.places, None, agent), numerator, denominator)


def percentile(ordered, rank):
    """By nearest rank: the least value such that so many per cent are no greater."""
    return ordered[max(1, -(-len(ordered) * rank // 100)) - 1]


def rows(definition, values, world, calendars, schedules):
    """All windows of one definition."""
    of_time = definition["scope"] == "agent_time"
    ratio = of_time and "denominator" in definition
    scale = 1 if ratio else SCALES[definition["unit"]]
    values = list(values)
    for declared in definition.get("windows", []):
        by = sorted(declared["by"])
        shift = schedules.get(definition.get("schedules", {}).get(declared.get("shift")))
        groups = {}
        for value in values:
            key = tuple(value.dimensions.get(dimension) for dimension in by)
            groups.setdefault(key, []).append(value)
        for key, members in groups.items():
            zone = world.places.zone(dict(zip(by, key)))
            for size in declared["sizes"]:
                window_of, windows = calendars.windows(zone, size, shift if size == "shift" else None), {}
                for value in members:
                    windows.setdefault(window_of(value.at), []).append(value)
                windows.pop(None, None)  # in no shift
                for (begins, ends), within in windows.items():
                    yield (by, key, size, begins, ends, zone, *aggregate(definition, within, scale, ratio))


def aggregate(definition, values, scale, ratio):
    sums = [value.sum for value in values]
    numerator, denominator = sum(sums), sum(value.weight for value in values)
    ordered = sorted(sums)
    names = definition["aggregations"]
    percentiles = {name: percentile(ordered, int(name[1:])) / scale for name in names if name[0] == "p"}
    by_name = {
        "mean": numerator / (scale * denominator) if denominator else None,
        "sum": numerator / scale, "count": len(values), "min": ordered[0] / scale, "max": ordered[-1] / scale, **percentiles,
    }
    return len(values), numerator, denominator, scale, by_name["min"], by_name["max"], by_name[names[0]], percentiles


def main():
    parser = argparse.ArgumentParser()
    for name in ("events", "states", "schedules", "places", "catalogue"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--tenant", default="acme")
    given = parser.parse_args()

    with open(given.events) as lines:
        calls = interactions.read(lines)
    published = open(given.schedules) if given.schedules else ()
    with open(given.states) as lines:
        people = agents.read(calls, lines, published)
    places = Places(tomllib.loads(pathlib.Path(given.places).read_text()), given.tenant)
    for call in calls.values():
        for leg in call.legs:
            if leg.zone:
                places.stated[leg.agent] = leg.zone
    folder = pathlib.Path(given.catalogue)
    schedules = [Schedule(tomllib.loads(file.read_text())) for file in sorted((folder.parent / "schedules").glob("*.toml"))]
    schedules = {schedule.name: schedule for schedule in schedules}
    world = World(places, schedules)
    instants = [one.at for call in calls.values() for one in call.told]
    calendars = Calendars(min(instants), max(instants))
    makers = {
        "interaction": (of_interactions, calls), "leg": (of_legs, calls), "journey": (of_journeys, calls), "agent_time": (of_agents, people),
    }
    for file in sorted(folder.glob("*.toml")):
        definition = tomllib.loads(file.read_text())
        if "windows" not in definition:
            continue
        make, of = makers[definition["scope"]]
        meanings.parameters = definition.get("parameters", {})
        for by, key, size, begins, ends, zone, *numbers, percentiles in rows(
            definition, make(definition, of, world), world, calendars, schedules
        ):
            fields = [
                definition["name"], definition["version"], ",".join(by), json.dumps(list(key), separators=(",", ":")),
                size, begins, ends, zone, *numbers, json.dumps(percentiles) if percentiles else None,
            ]
            sys.stdout.write("\t".join("\\N" if field is None else str(field).replace("\\", "\\\\") for field in fields) + "\n")


if __name__ == "__main__":
    main()
