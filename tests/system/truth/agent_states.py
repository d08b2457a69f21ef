"""What the agents of an events file did besides, as Genesys tells it over EventBridge: presence and routing status, one event a line.

usage: agent_states.py EVENTS.jsonl SEED [SCHEDULES.jsonl] > states.jsonl

Every agent works shifts in the agent's own zone on and around the days with calls: early, late and night shifts over the changes of the
clock, with breaks, meals and meetings; routing follows the calls, though not always. What centres really send is in it: sign-outs that come late
or never, copies, presence and routing of one instant, two presences of one instant, states that nobody ends. The order is that of arrival.
With a third argument the published schedules of the same agents are written there, as answers to searches of agents' schedules, one a line.
"""

import json
import random
import sys
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import interactions
from local import iso, millis_of, wall

MINUTE = 60_000
AGENTS_A_SEARCH = 50
HOUR = 60 * MINUTE
SHIFTS = [(7, 30), (8, 0), (13, 45), (22, 0)]  # local hours and minutes at which shifts begin
SPARE = "Europe/Lisbon"  # where an agent works who names no zone


class Day:
    """One shift of one agent."""

    def __init__(self, rng, agent, zone, date, shift, calls):
        self.rng, self.agent, self.calls = rng, agent, calls
        self.told = []  # (at, arrives, topic, body)
        begins = datetime(date.year, date.month, date.day, *shift, tzinfo=ZoneInfo(zone))
        self.planned = millis_of(begins)
        self.length = 8 * HOUR + rng.choice([0, 30 * MINUTE])
        self.begins = self.planned + rng.randrange(-4 * MINUTE, 9 * MINUTE)
        self.ends = self.planned + self.length + rng.randrange(-3 * MINUTE, 20 * MINUTE)
        self.breaks = []
        self.work()

    def presence(self, at, status, late=0):
        body = {
            "source": "PURECLOUD", "primary": True, "message": "", "modifiedDate": iso(at),
            "presenceDefinition": {"id": f"presence-{status.lower()}", "systemPresence": status},
        }
        self.told.append((at, at + late, "presence", body))

    def routing(self, at, status, late=0):
        body = {"id": self.agent, "routingStatus": {"userId": self.agent, "status": status, "startTime": iso(at)}}
        self.told.append((at, at + late, "routingStatus", body))

    def work(self):
        rng, at = self.rng, self.begins
        self.presence(at, "AVAILABLE")
        self.routing(at, "OFF_QUEUE")
        at += rng.randrange(1, 5 * MINUTE)
        self.on_queue(at)
        for after, status, lasts in ((2, "BREAK", 15), (4, "MEAL", 30), (6, rng.choice(["BREAK", "MEETING", "TRAINING"]), 15)):
            leaves = self.begins + after * HOUR + rng.randrange(-20 * MINUTE, 20 * MINUTE)
            if leaves <= at:
                continue
            self.follow_calls(at, leaves)
            self.presence(leaves, status)
            self.routing(leaves, "OFF_QUEUE")
            if rng.random() < 0.05:
                self.presence(leaves, "AWAY")  # of one instant: the greater holds
            at = leaves + lasts * MINUTE + rng.randrange(-2 * MINUTE, 6 * MINUTE)
            self.breaks.append((self.planned + after * HOUR, status, lasts))
            self.on_queue(at)
        self.follow_calls(at, self.ends)
        fate = rng.random()
        if fate < 0.06:
            return  # the desk is left as it was
        late = rng.randrange(HOUR, 30 * HOUR) if fate < 0.12 else 0
        if rng.random() < 0.5:
            self.routing(self.ends, "OFF_QUEUE", late)
        self.presence(self.ends, "OFFLINE", late)

    def on_queue(self, at):
        self.presence(at, "ON_QUEUE")
        self.routing(at, "IDLE")

    def follow_calls(self, begins, ends):
        """The router's word on the calls within; it misses some, and lets some ring."""
        rng = self.rng
        for connected, wrapped in self.calls:
            if not begins < connected < wrapped < ends or rng.random() < 0.1:
                continue
            self.routing(connected, "INTERACTING")
            self.routing(wrapped, "IDLE")
        if rng.random() < 0.2 and ends - begins > HOUR:
            at = begins + rng.randrange(ends - begins - 10 * MINUTE)
            self.routing(at, "NOT_RESPONDING")
            self.routing(at + rng.randrange(5_000, 60_000), rng.choice(["IDLE", "COMMUNICATING"]))


def schedule_of(days):
    """The shifts of one agent in the shape of a published schedule."""
    shifts = []
    for day in days:
        marks = [(day.planned, "on_queue", 0)]
        for at, status, lasts in day.breaks:
            marks += [(at, status.lower(), 0), (at + lasts * MINUTE, "on_queue", 0)]
        ends = [mark[0] for mark in marks[1:]] + [day.planned + day.length]
        activities = [
            {
                "startDate": iso(at), "lengthMinutes": (end - at) // MINUTE, "activityCodeId": code, "paid": code != "meal",
                "payableMinutes": 0, "description": "",
            }
            for (at, code, _), end in zip(marks, ends)
        ]
        shifts.append({
            "id": f"shift-{day.agent}-{day.planned}", "startDate": iso(day.planned), "lengthMinutes": day.length // MINUTE,
            "activities": activities, "manuallyEdited": False, "schedule": {"id": "published", "weekDate": iso(day.planned)[:10]},
        })
    return {"user": {"id": days[0].agent}, "shifts": shifts, "fullDayTimeOffMarkers": []}


def envelope(number, agent, at, topic, body):
    return {
        "version": "0", "id": f"state-{number:08d}", "detail-type": f"v2.users.{{id}}.{topic}",
        "source": "aws.partner/genesys.com/cloud/00000000-0000-4000-8000-000000000001/line", "account": "000000000000",
        "time": iso(at - at % 1000), "region": "eu-central-1", "resources": [],
        "detail": {
            "topicName": f"v2.users.{agent}.{topic}", "version": "2", "eventBody": body,
            "metadata": {"CorrelationId": f"state-{number:08d}"}, "timestamp": iso(at + 37),
        },
    }


def agents_of(events):
    """Zone, calls and dates by agent."""
    found = {}
    for call in interactions.read(events).values():
        for leg in call.legs:
            zone, calls = found.setdefault(leg.agent, (leg.zone or SPARE, []))
            busy = leg.busy()
            if busy and busy[1] is not None:
                calls.append((busy[0], busy[2] or busy[1]))
    return found


def main():
    rng = random.Random(int(sys.argv[2]))
    with open(sys.argv[1]) as events:
        agents = agents_of(events)
    arrivals, schedules = [], []
    for agent, (zone, calls) in sorted(agents.items()):
        shift, days = rng.choice(SHIFTS), []
        dates = {wall(zone, begins).date() for begins, _ in calls}
        dates |= {date + timedelta(days=rng.choice([-1, 1])) for date in dates if rng.random() < 0.5}
        for date in sorted(dates):
            days.append(Day(rng, agent, zone, date, shift, sorted(calls)))
        for day in days:
            for at, arrives, topic, body in day.told:
                event = envelope(len(arrivals), agent, at, topic, body)
                arrivals.append((arrives, len(arrivals), event))
                if rng.random() < 0.03:
                    arrivals.append((arrives + rng.randrange(1, 2 * HOUR), len(arrivals), event))
        if days:
            schedules.append(schedule_of(days))
    for _, _, event in sorted(arrivals, key=lambda arrival: arrival[:2]):
        print(json.dumps(event, separators=(",", ":")))
    if len(sys.argv) > 3:
        with open(sys.argv[3], "w") as file:
            for first in range(0, len(schedules), AGENTS_A_SEARCH):
                found = schedules[first : first + AGENTS_A_SEARCH]
                result = {"agentSchedules": found, "businessUnitTimeZone": "Europe/Berlin", "publishedSchedules": []}
                print(json.dumps({"status": "Complete", "result": result}), file=file)


if __name__ == "__main__":
    main()
