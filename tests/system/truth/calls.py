"""A workload of our own: webhook events in the guide's form, one JSON object a line, in order of arrival, the same for the same arguments.

usage: calls.py INTERACTIONS SEED [AGENTS] > events.jsonl

What the tests of windows need and the peers' workload is thin of: customers who call again within days, exactly seven days later and while
they are still on the line; agents in zones that shift by half an hour, or are 45 minutes off; calls that ring in vain, wait to the millisecond
at the threshold, are revised, or never end; four weeks around the days on which clocks change.
"""

import json
import random
import sys

from local import instant, iso

ZONES = [
    "America/New_York", "America/St_Johns", "America/Los_Angeles", "America/Sao_Paulo", "Europe/London", "Europe/Berlin",
    "Africa/Cairo", "Asia/Kolkata", "Asia/Kathmandu", "Asia/Manila", "Australia/Lord_Howe", "Pacific/Chatham",
]
QUEUES = 12
DAY = 86_400_000
WEEK = 7 * DAY
# First days of stretches, and how many days each has. Clocks change in North America, Europe, Cairo, Lord Howe and Chatham.
STRETCHES = [("2024-03-08", 5), ("2024-03-29", 10), ("2024-10-04", 3), ("2024-10-26", 10)]
DISPOSITIONS = ["RESOLVED", "RESOLVED", "SOLVED", "CALLBACK", "ESCALATED", "IVR_TRANSFER_EXTERNAL"]


def zone_of(agent):
    """Every thirteenth agent names no zone."""
    return None if agent % 13 == 5 else ZONES[agent % len(ZONES)]


class Call:
    """One interaction as it is told."""

    def __init__(self, rng, number, start, customer, agents):
        self.rng, self.number, self.agents = rng, number, agents
        self.customer = customer
        self.queue = f"queue_{rng.randrange(QUEUES):02d}"
        self.now = start
        self.told = []  # (arrives, event)
        self.happen()

    def tell(self, kind, state, agent=None, **more):
        people = [{"id": f"cust_{self.customer:06d}", "type": "customer"}]
        if agent is not None:
            person = {"id": f"agent_{agent:04d}", "type": "agent"}
            if zone_of(agent):
                person["timezone"] = zone_of(agent)
            people.append(person)
        data = {
            "event_id": f"evt_{self.number:08d}_{len(self.told):02d}", "interaction_id": f"int_{self.number:08d}",
            "type": f"telephony:call:{kind}", "state": state, "queue_id": self.queue,
            "metrics": more.pop("metrics", {}), "participants": people, **more,
        }
        event = {
            "subscription_id": "5d1c0d6e-0000-4000-8000-000000000004", "event_type": "analytics:events:publish",
            "timestamp": iso(self.now), "data": data,
        }
        self.told.append((self.now, event))
        return event

    def happen(self):
        rng = self.rng
        self.tell("offered", "offered")
        self.now += rng.randrange(200, 3_000)
        self.tell("queued", "queued")
        wait = rng.choice([rng.randrange(60_000), int(rng.expovariate(1 / 25_000)), rng.choice([4_999, 5_000, 20_000, 20_001])])
        self.now += wait
        fate = rng.random()
        if fate < 0.10:
            self.tell("ended", "abandoned", metrics={"queue_wait_ms": wait})
            return
        if fate < 0.14:
            self.tell("ended", "completed", metrics={"talk_time_ms": 0, "queue_wait_ms": wait}, disposition="IVR_SELF_SERVICE")
            return
        if fate < 0.18:
            self.tell("alerting", "alerting", rng.randrange(self.agents))
            self.now += rng.randrange(8_000, 20_000)
            self.tell("ended", "missed", metrics={"queue_wait_ms": wait})
            return
        agent = rng.randrange(self.agents)
        if rng.random() < 0.06:
            self.tell("alerting", "alerting", (agent + 1) % self.agents)
            self.now += rng.randrange(8_000, 20_000)
        self.tell("connected", "connected", agent, metrics={"queue_wait_ms": wait})
        self.talk(agent, wait)

    def talk(self, agent, wait):
        rng = self.rng
        first, hold = rng.randrange(15_000, 700_000), 0
        self.now += first // 2
        if rng.random() < 0.35:
            hold = rng.randrange(4_000, 150_000)
            self.tell("held", "held", agent, metrics={"hold_time_ms": hold})
            self.now += hold
        self.now += first - first // 2
        talk = first
        if rng.random() < 0.2:
            self.tell("transferred", "transferred", agent, metrics={"talk_time_ms": talk}, disposition="TRANSFER")
            agent = rng.randrange(self.agents)
            self.now += rng.randrange(0, 9_000)
            if rng.random() < 0.7:
                self.tell("connected", "connected", agent)
            more = rng.randrange(10_000, 500_000)
            talk += more
            self.now += more
        if rng.random() < 0.03:
            return  # the end is never told
        end = {"talk_time_ms": talk, "hold_time_ms": hold, "queue_wait_ms": wait}
        event = self.tell("ended", "completed", agent, metrics=end, disposition=rng.choice(DISPOSITIONS))
        if rng.random() < 0.05:
            self.revise(event)
        if rng.random() < 0.9:
            wrap = rng.randrange(2_000, 120_000)
            self.now += wrap
            self.tell("wrapped_up", "wrapped_up", agent, metrics={"wrap_time_ms": wrap})

    def revise(self, event):
        """The same event again, with other content and the stamp of an update."""
        newer = json.loads(json.dumps(event))
        stamp = self.now + self.rng.randrange(1, 3_600_000)
        newer["data"]["updated_at"] = iso(stamp)
        newer["data"]["disposition"] = "RESOLVED"
        newer["data"]["metrics"]["talk_time_ms"] += self.rng.randrange(1, 60_000)
        self.told.append((stamp, newer))


def starts(rng, count):
    """Pairs of instant and customer: some call again, at awkward distances."""
    stretches = [(instant(f"{day}T00:00:00Z"), days) for day, days in STRETCHES]
    found = []
    while len(found) < count:
        begins, days = rng.choice(stretches)
        at = begins + rng.randrange(days * DAY)
        customer = rng.randrange(max(count // 2, 4))
        found.append((at, customer))
        if rng.random() < 0.25:
            later = rng.choice([rng.randrange(60_000), rng.randrange(3 * DAY), WEEK - 600_000, WEEK, WEEK + 600_000])
            found.append((at + later, customer))
    return found[:count]


def main():
    count, rng = int(sys.argv[1]), random.Random(int(sys.argv[2]))
    agents = int(sys.argv[3]) if len(sys.argv) > 3 else max(12, min(2_000, count // 8))
    arrivals = []
    for number, (start, customer) in enumerate(starts(rng, count)):
        for told, event in Call(rng, number, start, customer, agents).told:
            late = rng.randrange(1, 900_000) if rng.random() < 0.03 else 0
            arrivals.append((told + late, len(arrivals), event))
            if rng.random() < 0.03:
                arrivals.append((told + rng.randrange(1, 900_000), len(arrivals), event))
    for _, _, event in sorted(arrivals, key=lambda arrival: arrival[:2]):
        print(json.dumps(event, separators=(",", ":")))


if __name__ == "__main__":
    main()
