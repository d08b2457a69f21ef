#!/usr/bin/env python3
"""Made-up calls at a fixed rate, as webhook events in the guide's form, each about a second of the real clock.

    deploy/capacity/load.py BEFORE DURING --rate 1000 --seconds 60 [--events-per-call 5.3] [--begin EPOCH] [--seed 7]

BEFORE gets what calls under way had told when the stretch begins, DURING the events of the stretch, one a line in the order of their
instants. Sent evenly within --seconds, DURING is what a platform sends: the events of a call are minutes apart, as many calls are under way as
that needs, and every instant is about now. The benchmarks' files are faster than that, because the events of a call travel together there.

Python 3 and nothing else; the same arguments give the same events.
"""

import argparse
import random
import time

# A call of 4 to 5 minutes on average, one in six without an agent, and 5.3 events in it, as in the peers' workload.
ANSWERED = 0.84
ZONES = ("America/New_York", "America/Chicago", "America/Los_Angeles", "Europe/London", "Europe/Berlin", "Asia/Kolkata", "Asia/Manila")
DISPOSITIONS = ("RESOLVED", "RESOLVED", "RESOLVED", "CALLBACK", "ESCALATED", "IVR_TRANSFER_EXTERNAL")
QUEUES = 40
# Wait, talk, hold and wrap-up together, nearly always less: how long before the stretch calls begin.
LONGEST = 1200.0


def steps(draw, extra):
    """The events of one call: seconds after its beginning, kind, state, whether an agent is in it, metrics, disposition."""
    queued = draw.uniform(0.2, 4)
    wait = draw.expovariate(1 / 25)
    found = [(0, "offered", "offered", False, {}, None), (queued, "queued", "queued", False, {}, None)]
    at = queued + wait
    waited = round(wait * 1000)
    if draw.random() > ANSWERED:
        state, disposition = draw.choice((("abandoned", None), ("completed", "IVR_SELF_SERVICE")))
        found.append((at, "ended", state, False, {"queue_wait_ms": waited}, disposition))
        return found
    found.append((at, "connected", "connected", True, {"queue_wait_ms": waited}, None))
    talk, hold = draw.uniform(30, 360), 0.0
    # What the mean is set by: holds and what else a platform tells in the middle of a call.
    middle = int(extra) + (draw.random() < extra % 1)
    for one in range(middle):
        held = draw.uniform(1, 10)
        hold += held
        at += talk / (middle + 1) + held
        found.append((at, "held", "held", True, {"hold_time_ms": round(hold * 1000)}, None))
    at += talk / (middle + 1)
    metrics = {"talk_time_ms": round(talk * 1000), "hold_time_ms": round(hold * 1000), "queue_wait_ms": waited}
    found.append((at, "ended", "completed", True, metrics, draw.choice(DISPOSITIONS)))
    if draw.random() < 0.9:
        wrap = draw.uniform(5, 90)
        found.append((at + wrap, "wrapped_up", "wrapped_up", True, {"wrap_time_ms": round(wrap * 1000)}, None))
    return found


# Events of a call whose middle has none.
PLAIN = ANSWERED * (4 + 0.9) + (1 - ANSWERED) * 3


def text_of(metrics):
    return ",".join(f'"{name}":{value}' for name, value in metrics.items())


def stamp(at):
    whole = int(at)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{int((at - whole) * 1000):03d}Z"


def event(at, call, ordinal, queue, agent, step):
    _, kind, state, has_agent, metrics, disposition = step
    people = f'{{"id":"cust_{call * 7919 % 1000003:07d}","type":"customer"}}'
    if has_agent:
        people += f',{{"id":"agent_{agent:05d}","type":"agent","timezone":"{ZONES[agent % len(ZONES)]}"}}'
    said = f',"disposition":"{disposition}"' if disposition else ""
    return (
        f'{{"subscription_id":"a1b2c3d4-e5f6-7890-abcd-ef1234567890","event_type":"analytics:events:publish","timestamp":"{stamp(at)}",'
        f'"data":{{"event_id":"evt_{call:010d}_{ordinal:02d}","interaction_id":"int_{call:010d}","type":"telephony:call:{kind}",'
        f'"state":"{state}","queue_id":"queue_{queue:02d}","metrics":{{{text_of(metrics)}}},"participants":[{people}]{said}}}}}\n'
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before")
    parser.add_argument("during")
    parser.add_argument("--rate", type=float, required=True, help="events a second")
    parser.add_argument("--seconds", type=float, required=True, help="length of the stretch")
    parser.add_argument("--before-seconds", type=float, default=0, help="also calls that began up to so long before, and are over")
    parser.add_argument("--events-per-call", type=float, default=5.3)
    parser.add_argument("--begin", type=float, default=None, help="when the stretch begins, seconds since 1970; now")
    parser.add_argument("--seed", type=int, default=7)
    told = parser.parse_args()
    if told.events_per_call < PLAIN or told.rate <= 0 or told.seconds <= 0:
        parser.error(f"--events-per-call is at least {PLAIN:.2f}, --rate and --seconds are above 0")
    draw = random.Random(told.seed)
    begin = time.time() if told.begin is None else told.begin
    calls = told.rate / told.events_per_call
    extra = (told.events_per_call - PLAIN) / ANSWERED
    # As many agents as calls are under way in a center whose agents are busy four fifths of their time.
    agents = max(10, round(calls * 260 / 0.8))
    before, during = [], []
    at, call = -LONGEST, 0
    while at < told.seconds:
        at += draw.expovariate(calls)
        call += 1
        queue, agent = draw.randrange(QUEUES), draw.randrange(agents)
        found = steps(draw, extra)
        if at < -told.before_seconds and at + found[-1][0] < 0:
            continue  # over, and of no interest
        for ordinal, step in enumerate(found):
            when = at + step[0]
            if when >= told.seconds:
                break
            # The event's instant is a moment before it is sent.
            line = event(begin + when - 0.5, call, ordinal, queue, agent, step)
            (before if when < 0 else during).append((when, line))
    for name, events in ((told.before, before), (told.during, during)):
        events.sort(key=lambda one: one[0])
        with open(name, "w", encoding="ascii") as file:
            file.writelines(line for _, line in events)
    print(f"{call} calls of {agents} agents; {len(before)} events before, {len(during)} in {told.seconds:g} s")


if __name__ == "__main__":
    main()
