"""What became of each interaction, read off the list of all its events; nothing is folded.

For voice calls as the guide's webhook tells them: offered, queued, alerting, connected, held, transferred, completed, abandoned, missed,
wrapped_up. Any other state is refused, so that nothing is judged that was not thought of. Durations are milliseconds.
"""

import json

from local import instant

STATES = {"offered", "queued", "alerting", "connected", "held", "transferred", "completed", "abandoned", "missed", "wrapped_up"}
ENDS = {"completed", "abandoned", "missed"}
LIVES = {"queued", "alerting", "connected", "held"}
ONLY_RANG = {"alerting", "missed", "abandoned"}
ANSWERS = {"connected", "held", "transferred", "completed", "wrapped_up"}
KINDS = {"talk": "talk_time_ms", "hold": "hold_time_ms", "wrap": "wrap_time_ms", "wait": "queue_wait_ms"}


class Told:
    """One event."""

    def __init__(self, event):
        data = event["data"]
        self.id, self.interaction, self.state = data["event_id"], data["interaction_id"], data["state"]
        assert self.state in STATES, f"nothing is known here of the state {self.state}"
        self.at = instant(event["timestamp"])
        self.revision = instant(data["updated_at"]) if "updated_at" in data else None
        self.queue, self.disposition = data.get("queue_id"), data.get("disposition")
        self.stated = {kind: data["metrics"].get(name) for kind, name in KINDS.items()}
        people = {person["type"]: person for person in data["participants"]}
        self.agent = people.get("agent", {}).get("id")
        self.zone = people.get("agent", {}).get("timezone")
        self.customer = people.get("customer", {}).get("id")


class Leg:
    """One agent's part."""

    def __init__(self, call, agent):
        own = [told for told in call.told if told.agent == agent]
        self.call, self.agent, self.zone = call, agent, own[0].zone
        self.queue = next((told.queue for told in own if told.queue), None)
        self.started_at = own[0].at
        self.took_part = any(told.state not in ONLY_RANG for told in own)
        self.answered = any(told.state in ANSWERS for told in own)
        self.transferred = any(told.state == "transferred" for told in own)
        self.answered_at = next((told.at for told in own if told.state == "connected"), None)
        self.ended_at = self.end(agent)
        self.stated = {}

    def end(self, agent):
        """The agent's last word where it ends a part, else when another agent is named, else when the interaction ended."""
        ended, is_open = None, False
        for told in self.call.told:
            if told.agent == agent:
                is_open = told.state not in ENDS | {"wrapped_up", "transferred"}
                ended = None if is_open else told.at
            elif is_open and told.agent:
                is_open, ended = False, told.at
        return self.call.ended_at if is_open else ended

    def busy(self):
        """(from, until with the contact, until with the work after it); the second is None while the contact goes on, the third without
        a wrap-up. None for one who took no part."""
        if not self.took_part:
            return None
        begins = self.started_at if self.answered_at is None else self.answered_at
        ended = self.call.ended_at if self.ended_at is None else self.ended_at
        if ended is None:
            return (begins, None, None)
        talk, hold, wrap = (self.stated.get(kind) for kind in ("talk", "hold", "wrap"))
        until = ended if talk is None else begins + talk + (hold or 0)
        until = max(until, begins)
        return (begins, until, None if wrap is None else until + wrap)


class Interaction:
    """What is known of an interaction when all its events are at hand."""

    def __init__(self, told):
        self.told = sorted(told, key=lambda one: (one.at, one.id))
        self.id, self.customer = self.told[0].interaction, next((one.customer for one in self.told if one.customer), None)
        self.queue = next((one.queue for one in self.told if one.queue), None)
        self.started_at = self.told[0].at
        self.offered_at = next((one.at for one in self.told if one.state in ("offered", "queued")), self.started_at)
        self.answered_at = next((one.at for one in self.told if one.state == "connected"), None)
        self.disposition = next((one.disposition for one in reversed(self.told) if one.disposition is not None), None)
        self.status = next((one.state for one in reversed(self.told) if one.state in ENDS), None)
        self.ended_at = self.end()
        self.stated = {kind: self.last(kind) for kind in KINDS}
        agents = list(dict.fromkeys(one.agent for one in self.told if one.agent))
        self.legs = [Leg(self, agent) for agent in agents]
        self.taken = self.in_order_of_taking_part()
        self.share_out()
        self.outcome = self.what_became()
        self.transfers = sum(one.state == "transferred" for one in self.told)
        self.holds = sum(one.state == "held" for one in self.told)

    def end(self):
        """The first end behind the last sign of life."""
        ended = None
        for one in reversed(self.told):
            if one.state in ENDS:
                ended = one.at
            elif ended is not None and one.state in LIVES:
                break
        return ended

    def last(self, kind):
        return next((one.stated[kind] for one in reversed(self.told) if one.stated[kind] is not None), None)

    def in_order_of_taking_part(self):
        legs = {leg.agent: leg for leg in self.legs if leg.took_part}
        order = dict.fromkeys(one.agent for one in self.told if one.agent in legs and one.state not in ONLY_RANG)
        return [legs[agent] for agent in order]

    def share_out(self):
        """Of cumulative statements, what each grew by is the part of the agent whom it names; all is the only agent's who took part."""
        if len(self.taken) == 1:
            self.taken[0].stated = self.stated
            return
        legs = {leg.agent: leg for leg in self.legs}
        for kind in KINDS:
            parts, before = {}, 0
            for one in self.told:
                now = one.stated[kind]
                if now is None:
                    continue
                more, before = now - before, now
                if more < 0 or (one.agent is None and more > 0):
                    break
                if one.agent is not None:
                    parts[one.agent] = parts.get(one.agent, 0) + more
            else:
                for agent, part in parts.items():
                    legs[agent].stated[kind] = part

    def what_became(self):
        if self.status is None:
            return None
        if any(leg.answered for leg in self.legs) or (self.stated["talk"] or 0) > 0:
            return "answered"
        return {"abandoned": "abandoned_in_queue", "missed": "missed", "completed": "other"}[self.status]

    def missed_alerts(self):
        """Alerts in vain: somebody else was connected then, or it ended as missed. By agent."""
        found, ringing = [], None
        for one in self.told:
            if one.state == "alerting":
                assert ringing is None, "two alerts in a row are not thought of here"
                ringing = one.agent
            elif one.state in ("connected", "missed"):
                if ringing is not None and ringing != one.agent:
                    found.append(ringing)
                ringing = None
            elif one.state in ("abandoned", "completed"):
                ringing = None
        return found


def read(lines):
    """All interactions, by id; copies dropped, of revisions the newest kept."""
    events = {}
    for line in lines:
        told = Told(json.loads(line))
        key = (told.interaction, told.id)
        held = events.get(key)
        newer = held is None or (told.revision or 0, told.at) > (held.revision or 0, held.at)
        if newer:
            events[key] = told
    by_interaction = {}
    for (interaction, _), told in events.items():
        by_interaction.setdefault(interaction, []).append(told)
    return {interaction: Interaction(told) for interaction, told in sorted(by_interaction.items())}
