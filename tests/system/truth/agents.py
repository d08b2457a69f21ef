"""What agents' time was, instant by instant, from all that was stated of them and from the legs of all interactions.

Nothing is merged or streamed: between two neighbouring instants at which anything could change, the state is looked up anew.
"""

import json
from bisect import bisect_right

from local import QUARTER_MS, instant

OPEN_CAP = 12 * 3_600_000
# By which of two statements of one instant the greater is told, where nothing else differs.
PRESENCES = ["available", "away", "busy", "break", "meal", "meeting", "training", "idle", "on_queue", "offline"]
ROUTINGS = ["off_queue", "idle", "interacting", "communicating", "not_responding", "wrapping"]


class State:
    """How an agent stands at an instant; None is not known."""

    def __init__(self, presence, routing, scheduled, interacting, wrapping):
        self.presence, self.routing, self.scheduled = presence, routing, scheduled
        self.interacting, self.wrapping = interacting, wrapping

    @property
    def busy(self):
        return self.interacting or self.wrapping

    @property
    def logged_in(self):
        if self.busy:
            return True
        if self.presence is not None:
            return self.presence != "offline"
        return self.routing is not None and self.routing != "off_queue"

    @property
    def on_queue(self):
        if self.presence in ("on_queue", "offline"):
            return self.presence == "on_queue"
        return self.routing is not None and self.routing not in ("off_queue", "communicating")


class Agent:
    """All that is known of one agent."""

    def __init__(self):
        self.presences, self.routings, self.activities = {}, {}, []
        self.interacting, self.wrapping = [], []

    def state(self, presence, body):
        """Takes one presence or routing status; of one instant the greater holds."""
        if presence:
            at, name = instant(body["modifiedDate"]), body["presenceDefinition"]["systemPresence"].lower()
            self.presences[at] = max(self.presences.get(at, name), name, key=PRESENCES.index)
        else:
            status = body["routingStatus"]
            at, name = instant(status["startTime"]), status["status"].lower()
            self.routings[at] = max(self.routings.get(at, name), name, key=ROUTINGS.index)

    def leg(self, leg):
        busy = leg.busy()
        if busy is None:
            return
        begins, until, wrapped = busy
        self.interacting.append((begins, begins + OPEN_CAP if until is None else until))
        if wrapped is not None:
            self.wrapping.append((until, wrapped))

    def cells(self, judge):
        """(quarter, numerator, denominator) in milliseconds for each quarter with any of it; `judge` tells of a state in which it is."""
        found = {}
        for begins, ends, state in self.pieces():
            counts, whole = judge(state)
            if not counts and not whole:
                continue
            at = begins
            while at < ends:
                stop = min(ends, (at // QUARTER_MS + 1) * QUARTER_MS)
                part = found.setdefault(at // QUARTER_MS, [0, 0])
                part[0] += (stop - at) * counts
                part[1] += (stop - at) * whole
                at = stop
        return [(quarter, *parts) for quarter, parts in sorted(found.items())]

    def pieces(self):
        """Every stretch between two instants at which something may change, with its state; the present lies far behind all of it."""
        presences, routings = sorted(self.presences.items()), sorted(self.routings.items())
        offline = [at for at, name in presences if name == "offline"]
        edges = {at for at, _ in presences} | {at for at, _ in routings}
        edges |= {at + OPEN_CAP for at in edges}
        for spans in (self.interacting, self.wrapping, self.activities):
            edges |= {edge for span in spans for edge in span[:2]}
        edges = sorted(edges)
        for begins, ends in zip(edges, edges[1:]):
            yield begins, ends, State(
                self.stated(presences, begins, lambda at, name: name == "offline" or begins < at + OPEN_CAP),
                self.stated(routings, begins, lambda at, _: begins < at + OPEN_CAP and not any(at <= out <= begins for out in offline)),
                next((span[2] for span in reversed(self.activities) if span[0] <= begins < span[1]), None),
                any(span[0] <= begins < span[1] for span in self.interacting),
                any(span[0] <= begins < span[1] for span in self.wrapping),
            )

    @staticmethod
    def stated(track, at, holds):
        """What was stated last, if it still holds."""
        place = bisect_right(track, at, key=lambda one: one[0])
        return track[place - 1][1] if place and holds(*track[place - 1]) else None


def read(calls, state_lines, published=()):
    """All agents, by id. `published`: lines with answers to searches of schedules."""
    agents = {}
    for call in calls.values():
        for leg in call.legs:
            agents.setdefault(leg.agent, Agent()).leg(leg)
    for line in state_lines:
        detail = json.loads(line)["detail"]
        agent, topic = detail["topicName"].removeprefix("v2.users.").rsplit(".", 1)
        agents.setdefault(agent, Agent()).state(topic == "presence", detail["eventBody"])
    for entry in (entry for line in published for entry in json.loads(line)["result"]["agentSchedules"]):
        activities = agents.setdefault(entry["user"]["id"], Agent()).activities
        for shift in entry["shifts"]:
            for activity in shift["activities"]:
                begins = instant(activity["startDate"])
                activities.append((begins, begins + activity["lengthMinutes"] * 60_000, activity["activityCodeId"]))
        activities.sort()
    return agents
