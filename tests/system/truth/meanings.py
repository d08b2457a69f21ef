"""What each shipped KPI means, in plain Python: of an interaction, of an agent's part, of a customer's contact, of an agent's time.

Each function gives the value as a whole number in the unit's scale (milliseconds, single things, millionths of a share), None where there is
none. The definitions' own expressions are not read: what they say is said here again, independently.
"""

WHOLE = 1_000_000
LONGEST = 400 * 86_400_000
# The parameters of the definition that is looked at.
parameters = {}
EXCLUDED = {"IVR_SELF_SERVICE", "IVR_TRANSFER_EXTERNAL"}
RESOLVED = {"RESOLVED", "Resolved", "resolved", "ISSUE_RESOLVED", "SOLVED", "Solved", "CLOSED", "Closed"}


def parameter(name):
    """In milliseconds, of so many seconds."""
    return int(parameters[name].removesuffix("s")) * 1_000


def share(holds):
    return WHOLE if holds else 0


def answered(call):
    return call.outcome == "answered"


def self_served(call):
    return call.outcome == "other" and call.disposition == "IVR_SELF_SERVICE"


def offered(call):
    return call.queue is not None and call.outcome is not None and not self_served(call)


def handled_time(call):
    """Talk, hold and wrap-up, of what is stated; None where nothing is."""
    parts = [call.stated[kind] for kind in ("talk", "hold", "wrap") if call.stated[kind] is not None]
    return sum(parts) if parts else None


def handle_time(call):
    total = handled_time(call)
    return None if total is None or (total == 0 and not call.taken) else total


def holds(call):
    """How many; None where a hold time was stated and none was told."""
    stated = any((one.stated["hold"] or 0) != 0 for one in call.told)
    return call.holds if call.holds or (call.answered_at is not None and not stated) else None


def of_answered(value):
    return lambda call: value(call) if answered(call) else None


def of_offered(value):
    return lambda call: value(call) if offered(call) else None


def answered_after(call):
    """The wait as stated with the first connection."""
    first = next((one for one in call.told if one.state == "connected"), None)
    return first.stated["wait"] if first else call.stated["wait"]


def abandoned_after(call):
    if call.stated["wait"] is not None:
        return call.stated["wait"]
    return call.ended_at - next(one.at for one in call.told if one.state == "queued")


def answered_early(call):
    return answered(call) and answered_after(call) <= parameter("answer_within")


def early(call):
    return (answered_after(call) if answered(call) else abandoned_after(call)) <= parameter("answer_within")


def is_short(call):
    return call.outcome == "abandoned_in_queue" and abandoned_after(call) < parameter("short")


def service_level(outcomes, good=answered_early, but=lambda call: False):
    return lambda call: share(good(call)) if call.outcome in outcomes and not but(call) else None


def adjusted(call, world):
    if call.disposition in EXCLUDED or not world.in_hours(call):
        return 0
    return handled_time(call) or 0


def adjusted_transfers(call, world):
    excluded = not answered(call) or call.disposition in EXCLUDED or call.transfers or not world.in_hours(call)
    return None if excluded else handled_time(call) or 0


def duration(call):
    lasted = call.ended_at - call.started_at
    return lasted if 0 < lasted <= LONGEST else None


def longest_hold(call):
    assert call.holds <= 1, "several holds are not thought of here"
    return call.stated["hold"] if call.holds == 1 else None


def held(call):
    counted = holds(call)
    if counted is not None:
        return share(counted > 0)
    return None if call.stated["hold"] is None else share(call.stated["hold"] > 0)


def plain(kind):
    return lambda call: call.stated[kind]


# Of an interaction that ended. Those that need zones or schedules take the world as well.
INTERACTION = {
    "abandoned": of_offered(lambda call: share(call.outcome == "abandoned_in_queue")),
    "abandoned_in_ivr": lambda call: 0,
    "abandonment_rate": service_level({"answered", "abandoned_in_queue"}, good=lambda call: not answered(call)),
    "aht": of_answered(handled_time),
    "agents": of_answered(lambda call: len(call.taken)),
    "alert_time": lambda call: None,
    "blind_transferred": of_answered(lambda call: 0),
    "conferenced": of_answered(lambda call: 0),
    "consult_transferred": of_answered(lambda call: 0),
    "contact_duration": duration,
    "contained": lambda call: WHOLE if self_served(call) else None,
    "customer_handle_time": of_answered(handled_time),
    "flowed_out": of_offered(lambda call: 0),
    "handle_time": handle_time,
    "handled": lambda call: int(answered(call)),
    "held": of_answered(held),
    "hold_time": plain("hold"),
    "holds": of_answered(holds),
    "longest_hold": of_answered(longest_hold),
    "longest_wait": lambda call: {"answered": answered_after, "abandoned_in_queue": abandoned_after}.get(call.outcome, lambda _: None)(call),
    "missed": lambda call: len(call.missed_alerts()),
    "offered": lambda call: int(offered(call)),
    "queue_wait": plain("wait"),
    "resolved_by_disposition": of_answered(lambda call: call.disposition and share(call.disposition in RESOLVED)),
    "service_level_answered": service_level({"answered"}),
    "service_level_offered": service_level({"answered", "abandoned_in_queue"}),
    "service_level_positive": service_level({"answered", "abandoned_in_queue"}, good=early),
    "service_level_with_missed": service_level({"answered", "abandoned_in_queue", "missed"}),
    "service_level_without_short": service_level({"answered", "abandoned_in_queue"}, but=is_short),
    "short_abandonment_rate": service_level({"answered", "abandoned_in_queue"}, good=is_short),
    "short_abandoned": of_offered(lambda call: share(is_short(call))),
    "speed_of_answer": of_answered(answered_after),
    "talk_time": plain("talk"),
    "time_to_abandon": lambda call: abandoned_after(call) if call.outcome == "abandoned_in_queue" else None,
    "transferred": of_answered(lambda call: share(call.transfers > 0)),
    "wrap_time": plain("wrap"),
}
WITH_WORLD = {
    "adjusted_aht": adjusted,
    "adjusted_aht_transfers": adjusted_transfers,
    "first_answer_in_hours": lambda call, world: world.business(call) if answered(call) else None,
}


def leg_handled(leg):
    talk = leg.stated.get("talk")
    return None if talk is None else talk + (leg.stated.get("hold") or 0) + (leg.stated.get("wrap") or 0)


def of_answered_leg(value):
    return lambda leg: value(leg) if leg.answered else None


def leg_missed(leg):
    """Of legs whose outcome is known: answered, or let ring."""
    missed = leg.agent in leg.call.missed_alerts()
    return share(missed and not leg.answered) if missed or leg.answered else None


LEG = {
    "leg_handle_time": of_answered_leg(leg_handled),
    "leg_hold_time": of_answered_leg(lambda leg: leg.stated.get("hold")),
    "leg_missed": leg_missed,
    "leg_talk_time": of_answered_leg(lambda leg: leg.stated.get("talk")),
    "leg_transferred": of_answered_leg(lambda leg: share(leg.transferred)),
    "leg_wrap_time": of_answered_leg(lambda leg: leg.stated.get("wrap")),
}


def first_answered(value):
    return lambda contact: value(contact) if answered(contact.call) and contact.position == 1 else None


def settled(contact):
    """The disposition says so and nobody came back; who came back decides alone."""
    if contact.repeated:
        return 0
    return None if contact.call.disposition is None else share(contact.call.disposition in RESOLVED)


# Of a contact that ended, among the others of its customer.
JOURNEY = {
    "contacts_per_issue": lambda contact: len(contact.chain) if contact.position == 1 else None,
    "first_contact_resolution": first_answered(lambda contact: share(not contact.repeated)),
    "first_contact_resolution_disposition": first_answered(settled),
    "repeat_contact": lambda contact: share(contact.position > 1),
}


def available(state):
    return state.on_queue and state.routing in (None, "idle")


FITS = {
    "on_queue": lambda state: state.on_queue or state.busy,
    "break": lambda state: state.presence in ("break", "away", "idle"),
    "meal": lambda state: state.presence in ("meal", "break", "away"),
    "meeting": lambda state: state.presence in ("meeting", "busy", "training"),
    "training": lambda state: state.presence in ("training", "meeting", "busy"),
}


def ratio(part, whole):
    """Whether time in a state is in the part, and whether it is in the whole; what is not in the whole is in no part of it."""
    return lambda state: (whole(state) and part(state), whole(state))


def time(part):
    return lambda state: (part(state), False)


# Of a state in which an agent spends time: whether the time is in the numerator, and whether it is in the denominator.
TIME = {
    "adherence": ratio(lambda state: FITS[state.scheduled](state), lambda state: state.scheduled is not None),
    "break_time": time(lambda state: state.presence in ("break", "meal") and not state.busy),
    "logged_in_time": time(lambda state: state.logged_in),
    "occupancy": ratio(lambda state: state.busy, lambda state: state.busy or available(state)),
    "on_queue_time": time(lambda state: state.on_queue),
    "utilisation": ratio(lambda state: state.busy or available(state), lambda state: state.logged_in),
}
