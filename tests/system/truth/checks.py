"""Checks of the truth itself, on cases worked out by hand: a truth that is wrong proves nothing.

usage: checks.py
"""

import json
import unittest

import agents
import interactions
import journeys
from local import Calendars, Schedule, instant, iso

DAYS = [
    # zone, local date, first instant, first instant after it
    ("America/New_York", "2025-03-09", "2025-03-09T05:00Z", "2025-03-10T04:00Z"),
    ("America/New_York", "2025-11-02", "2025-11-02T04:00Z", "2025-11-03T05:00Z"),
    ("Europe/London", "2025-03-30", "2025-03-30T00:00Z", "2025-03-30T23:00Z"),
    ("Europe/London", "2025-10-26", "2025-10-25T23:00Z", "2025-10-27T00:00Z"),
    ("Australia/Lord_Howe", "2025-04-06", "2025-04-05T13:00Z", "2025-04-06T13:30Z"),
    ("Australia/Lord_Howe", "2025-10-05", "2025-10-04T13:30Z", "2025-10-05T13:00Z"),
    ("Africa/Cairo", "2025-04-25", "2025-04-24T22:00Z", "2025-04-25T21:00Z"),
    ("America/Santiago", "2025-09-07", "2025-09-07T04:00Z", "2025-09-08T03:00Z"),
    ("America/Havana", "2025-11-02", "2025-11-02T04:00Z", "2025-11-03T05:00Z"),
    ("America/Phoenix", "2025-03-09", "2025-03-09T07:00Z", "2025-03-10T07:00Z"),
    ("Asia/Kolkata", "2025-03-09", "2025-03-08T18:30Z", "2025-03-09T18:30Z"),
]


def at(text):
    return instant(text.replace("Z", ":00.000Z") if text.count(":") == 1 else text)


class Local(unittest.TestCase):
    def window(self, zone, size, text, shift=None):
        calendars = Calendars(at(text) - 5 * 86_400_000, at(text) + 5 * 86_400_000)
        found = calendars.windows(zone, size, shift)(at(text))
        return found and tuple(iso(edge)[:16] + "Z" for edge in found)

    def test_days_have_as_many_hours_as_the_clock_gives_them(self):
        for zone, _, begins, ends in DAYS:
            self.assertEqual(self.window(zone, "day", begins), (begins, ends), zone)
            self.assertEqual(self.window(zone, "day", iso(at(ends) - 1)), (begins, ends), zone)

    def test_a_date_that_was_skipped_has_no_window(self):
        before = self.window("Pacific/Apia", "day", "2011-12-30T09:59Z")
        after = self.window("Pacific/Apia", "day", "2011-12-30T10:00Z")
        self.assertEqual((before[1], after[0]), ("2011-12-30T10:00Z", "2011-12-30T10:00Z"))

    def test_a_doubled_hour_is_two_windows_and_a_missing_one_none(self):
        hours = [self.window("America/New_York", "60m", f"2025-11-02T0{hour}:20Z") for hour in (5, 6, 7)]
        self.assertEqual([edges[0][11:16] for edges in hours], ["05:00", "06:00", "07:00"])
        self.assertEqual(self.window("America/New_York", "60m", "2025-03-09T06:59Z")[1], "2025-03-09T07:00Z")

    def test_zones_off_by_a_part_of_an_hour_align_to_their_own_clocks(self):
        self.assertEqual(self.window("Asia/Kathmandu", "60m", "2025-06-01T10:00Z"), ("2025-06-01T09:15Z", "2025-06-01T10:15Z"))
        self.assertEqual(self.window("Pacific/Chatham", "30m", "2025-06-01T10:00Z"), ("2025-06-01T09:45Z", "2025-06-01T10:15Z"))

    def test_a_shift_of_half_an_hour_leaves_a_window_of_half_an_hour(self):
        # At 15:00 UTC it is 02:00, which becomes 01:30.
        self.assertEqual(self.window("Australia/Lord_Howe", "60m", "2025-04-05T14:59Z"), ("2025-04-05T14:00Z", "2025-04-05T15:00Z"))
        self.assertEqual(self.window("Australia/Lord_Howe", "60m", "2025-04-05T15:00Z"), ("2025-04-05T15:00Z", "2025-04-05T15:30Z"))

    def test_weeks_begin_on_monday_and_months_on_their_first(self):
        self.assertEqual(self.window("Europe/Berlin", "week", "2025-03-30T10:00Z"), ("2025-03-23T23:00Z", "2025-03-30T22:00Z"))
        self.assertEqual(self.window("Europe/Berlin", "month", "2025-03-30T10:00Z"), ("2025-02-28T23:00Z", "2025-03-31T22:00Z"))

    def test_a_night_shift_is_an_hour_shorter_in_spring_and_longer_in_autumn(self):
        night = Schedule({"schedule": "night", "version": 1, "weekly": {"everyday": ["22:00-06:00"]}})
        self.assertEqual(self.window("Europe/Berlin", "shift", "2025-03-30T00:00Z", night), ("2025-03-29T21:00Z", "2025-03-30T04:00Z"))
        self.assertEqual(self.window("Europe/Berlin", "shift", "2025-10-26T00:00Z", night), ("2025-10-25T20:00Z", "2025-10-26T05:00Z"))
        self.assertIsNone(self.window("Europe/Berlin", "shift", "2025-03-30T12:00Z", night))

    def test_open_hours_are_counted_to_the_millisecond(self):
        office = Schedule({"schedule": "office", "version": 1, "weekly": {"everyday": ["08:00-18:00"]}})
        begins, ends = at("2025-03-28T16:59:59.999Z"), at("2025-03-31T06:10:00.000Z")
        self.assertEqual(office.business_millis("Europe/Berlin", begins, ends), 1 + 20 * 3_600_000 + 600_000)
        self.assertTrue(office.contains("Europe/Berlin", begins))
        self.assertFalse(office.contains("Europe/Berlin", begins + 1))


def call(*told, number=1, customer="c"):
    """Events of (seconds, state, agent, metrics)."""
    lines = []
    for ordinal, (second, state, agent, metrics) in enumerate(told):
        people = [{"id": customer, "type": "customer"}] + ([{"id": agent, "type": "agent"}] if agent else [])
        data = {
            "event_id": f"{number}_{ordinal}", "interaction_id": f"i{number}", "type": "x", "state": state, "queue_id": "q",
            "metrics": metrics, "participants": people,
        }
        lines.append(json.dumps({"timestamp": iso(second * 1000), "data": data}))
    return lines


TRANSFERRED = call(
    (0, "queued", None, {}), (10, "connected", "anna", {"queue_wait_ms": 10_000}), (40, "held", "anna", {"hold_time_ms": 5_000}),
    (60, "transferred", "anna", {"talk_time_ms": 31_000}), (70, "connected", "bo", {}),
    (120, "completed", "bo", {"talk_time_ms": 81_000, "hold_time_ms": 5_000, "queue_wait_ms": 10_000}),
    (140, "wrapped_up", "bo", {"wrap_time_ms": 20_000}),
)


class Interactions(unittest.TestCase):
    def test_what_cumulative_statements_grew_by_is_each_agents_part(self):
        found = interactions.read(TRANSFERRED)["i1"]
        self.assertEqual([leg.stated for leg in found.legs], [
            {"talk": 31_000, "hold": 5_000, "wait": 10_000}, {"talk": 50_000, "hold": 0, "wrap": 20_000, "wait": 0},
        ])
        self.assertEqual([leg.busy() for leg in found.legs], [(10_000, 46_000, None), (70_000, 120_000, 140_000)])
        self.assertEqual((found.outcome, found.transfers, found.ended_at, found.offered_at), ("answered", 1, 120_000, 0))

    def test_copies_and_order_do_not_matter(self):
        once = interactions.read(TRANSFERRED)["i1"]
        again = interactions.read(list(reversed(TRANSFERRED)) + TRANSFERRED[2:4])["i1"]
        self.assertEqual(vars(once.legs[0])["stated"], vars(again.legs[0])["stated"])
        self.assertEqual(len(once.told), len(again.told))

    def test_who_only_rang_took_no_part(self):
        lines = call((0, "queued", None, {}), (5, "alerting", "deaf", {}), (25, "connected", "anna", {}), (60, "completed", "anna", {}))
        found = interactions.read(lines)["i1"]
        self.assertEqual((found.missed_alerts(), [leg.agent for leg in found.taken]), (["deaf"], ["anna"]))
        self.assertEqual([leg.busy() for leg in found.legs], [None, (25_000, 60_000, None)])

    def test_a_contact_without_end_keeps_its_agent_busy(self):
        found = interactions.read(TRANSFERRED[:3])["i1"]
        self.assertEqual((found.outcome, found.legs[0].busy()), (None, (10_000, None, None)))


class Journeys(unittest.TestCase):
    def contacts(self, *days):
        calls = {}
        for number, day in enumerate(days):
            calls |= interactions.read(call((day * 86_400, "queued", None, {}), (day * 86_400, "abandoned", None, {}), number=number))
        return [(contact.position, len(contact.chain), contact.repeated) for contact in journeys.contacts(calls, 7 * journeys.DAY)]

    def test_the_second_contact_within_seven_days_is_a_repeat_of_the_first_and_the_third_is_new(self):
        self.assertEqual(self.contacts(0, 6, 20), [(1, 2, True), (2, 2, False), (1, 1, False)])

    def test_exactly_seven_days_later_counts(self):
        self.assertEqual(self.contacts(0, 7), [(1, 2, True), (2, 2, False)])

    def test_contacts_of_one_instant_are_one_chain_and_no_repeat(self):
        self.assertEqual(self.contacts(3, 3), [(1, 2, False), (2, 2, False)])


def presence(second, name):
    return {"modifiedDate": iso(second * 1000), "presenceDefinition": {"systemPresence": name}}


def routing(second, name):
    return {"routingStatus": {"startTime": iso(second * 1000), "status": name}}


class Agents(unittest.TestCase):
    def pieces(self, agent):
        return [
            (begins // 1000, ends // 1000, state.presence, state.routing, state.busy, state.logged_in, state.on_queue)
            for begins, ends, state in agent.pieces()
        ]

    def test_states_hold_until_the_next_and_a_sign_out_ends_them(self):
        agent = agents.Agent()
        for second, name in ((0, "AVAILABLE"), (10, "ON_QUEUE"), (50, "OFFLINE")):
            agent.state(True, presence(second, name))
        agent.state(False, routing(10, "IDLE"))
        agent.interacting.append((20_000, 30_000))
        self.assertEqual(self.pieces(agent)[:5], [
            (0, 10, "available", None, False, True, False),
            (10, 20, "on_queue", "idle", False, True, True),
            (20, 30, "on_queue", "idle", True, True, True),
            (30, 50, "on_queue", "idle", False, True, True),
            (50, 43_200, "offline", None, False, False, False),
        ])

    def test_a_state_without_news_is_unknown_after_the_cap(self):
        agent = agents.Agent()
        agent.state(True, presence(0, "ON_QUEUE"))
        agent.state(True, presence(50_000, "OFFLINE"))
        self.assertEqual(self.pieces(agent)[:2], [
            (0, 43_200, "on_queue", None, False, True, True), (43_200, 50_000, None, None, False, False, False),
        ])

    def test_overlapping_contacts_are_busy_once_and_cells_sum_up_to_the_whole(self):
        agent = agents.Agent()
        agent.interacting += [(100_000, 1_000_500), (800_000, 2_000_000)]
        cells = agent.cells(lambda state: (state.busy, False))
        self.assertEqual(cells, [(0, 800_000, 0), (1, 900_000, 0), (2, 200_000, 0)])

    def test_of_two_presences_of_one_instant_the_greater_holds(self):
        agent = agents.Agent()
        for name in ("BREAK", "AWAY"):
            agent.state(True, presence(0, name))
        self.assertEqual(agent.presences, {0: "break"})


if __name__ == "__main__":
    unittest.main()
