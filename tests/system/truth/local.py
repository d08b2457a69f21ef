"""Windows of local time, found by looking at every quarter of an hour.

Each quarter of UTC gets a label for each size: what a wall calendar and a wall clock of the zone show in it. A window is the longest run
of neighbouring quarters with one label. So a doubled hour is two windows (the offset is part of an hour's label) and a missing one none.

Instants are milliseconds since 1970 in UTC; quarters are numbered since 1970. Every offset since 1973 is a multiple of a quarter.
"""

import os
import zoneinfo
from datetime import datetime, timedelta, timezone

QUARTER_MS = 900_000
MINUTES = {"15m": 15, "30m": 30, "60m": 60}
SIZES = (*MINUTES, "day", "week", "month", "shift")

if os.environ.get("TRUTH_TZDATA") == "package":
    zoneinfo.reset_tzpath([])  # the package's files, never the machine's


class Calendar:
    """The windows of one zone over a stretch of quarters."""

    def __init__(self, zone, first, last):
        self.zone = zone
        self.first = first
        info = zoneinfo.ZoneInfo(zone)
        self.local = []  # of each quarter: what the wall shows at its beginning, and the offset in minutes
        for quarter in range(first, last):
            there = datetime.fromtimestamp(quarter * 900, info)
            offset = there.utcoffset() // timedelta(minutes=1)
            self.local.append((there.replace(tzinfo=None, fold=0), offset))
        self.runs = {}

    def windows(self, size, shift=None):
        """By quarter, from the first: (start, end) in milliseconds of the window with it; None where it is in no shift."""
        key = (size, shift.name if shift else None)
        if key not in self.runs:
            self.runs[key] = self.shifts(shift) if size == "shift" else self.tumbling(size)
        return self.runs[key]

    def edges(self, begin, end):
        """Of places, the instants."""
        return ((self.first + begin) * QUARTER_MS, (self.first + end) * QUARTER_MS)

    def label(self, size, place):
        there, offset = self.local[place]
        if size in MINUTES:
            minutes = (there - datetime(1970, 1, 1)) // timedelta(minutes=1)
            return (offset, minutes // MINUTES[size])
        if size == "day":
            return there.date()
        if size == "week":
            return there.isocalendar()[:2]
        if size == "month":
            return (there.year, there.month)
        raise ValueError(size)

    def tumbling(self, size):
        labels = [self.label(size, place) for place in range(len(self.local))]
        found, begin = [], 0
        for place in range(1, len(labels) + 1):
            if place == len(labels) or labels[place] != labels[begin]:
                found += [self.edges(begin, place)] * (place - begin)
                begin = place
        return found

    def shifts(self, shift):
        found = [None] * len(self.local)
        for begin, end in self.spans(shift):
            for place in range(begin, end):
                found[place] = self.edges(begin, end)
        return found

    def spans(self, shift):
        """The places of a schedule's spans, those that overlap merged; those that only touch stay two."""
        spans = []
        days = sorted({there.date() for there, _ in self.local})
        for day in days:
            for begins, ends in shift.spans_of(day):
                # From the first instant at which the clock has reached the beginning to the last at which it shows a time before the end.
                midnight = datetime(day.year, day.month, day.day)
                around = self.around(midnight + timedelta(minutes=begins), midnight + timedelta(minutes=ends))
                inside = [place for place in around if self.local[place][0] >= midnight + timedelta(minutes=begins)]
                before = [place for place in around if self.local[place][0] < midnight + timedelta(minutes=ends)]
                if inside and before and inside[0] <= before[-1]:
                    spans.append((inside[0], before[-1] + 1))
        merged = []
        for begin, end in sorted(spans):
            if merged and begin < merged[-1][1]:
                merged[-1] = (merged[-1][0], max(merged[-1][1], end))
            else:
                merged.append((begin, end))
        return merged

    def around(self, begins, ends):
        """Places that may show a time from `begins` to `ends`: a day and a half to both sides, for whatever offset."""
        epoch = datetime(1970, 1, 1)
        low = (begins - epoch) // timedelta(minutes=15) - 150 - self.first
        high = (ends - epoch) // timedelta(minutes=15) + 150 - self.first
        return range(max(low, 0), min(high, len(self.local)))


class Schedule:
    """The weekly spans of a schedule: what the tests' schedules use of the document, and nothing else."""

    DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

    def __init__(self, document):
        known = {"schedule", "version", "weekly", "zone"}
        assert set(document) <= known, f"not understood here: {set(document) - known}"
        self.name = f"{document['schedule']}@{document['version']}"
        self.zone = document.get("zone")
        weekly = document["weekly"]
        self.week = []
        for number, name in enumerate(self.DAYS):
            part = "weekdays" if number < 5 else "weekend"
            spans = weekly.get(name, weekly.get(part, weekly.get("everyday", [])))
            self.week.append([self.span(text) for text in spans])

    @staticmethod
    def span(text):
        begins, ends = ([int(part) for part in clock.split(":")] for clock in text.split("-"))
        begins, ends = begins[0] * 60 + begins[1], ends[0] * 60 + ends[1]
        return (begins, ends if ends > begins else ends + 24 * 60)

    def spans_of(self, day):
        return self.week[day.weekday()]

    def contains(self, zone, millis):
        """Whether it is open at an instant, by the wall clock of the zone; for spans that no change of the clock cuts."""
        there = wall(zone, millis)
        for day in (there.date(), there.date() - timedelta(days=1)):
            minutes = (there - datetime(day.year, day.month, day.day)) / timedelta(minutes=1)
            if any(begins <= minutes < ends for begins, ends in self.spans_of(day)):
                return True
        return False

    def business_millis(self, zone, begin, end):
        """How long it is open within [begin, end); for spans that no change of the clock cuts."""
        info = zoneinfo.ZoneInfo(zone)
        total = 0
        day = wall(zone, begin).date() - timedelta(days=1)
        while day <= wall(zone, end).date():
            for begins, ends in self.spans_of(day):
                midnight = datetime(day.year, day.month, day.day)
                opens = millis_of((midnight + timedelta(minutes=begins)).replace(tzinfo=info))
                closes = millis_of((midnight + timedelta(minutes=ends)).replace(tzinfo=info))
                total += max(0, min(closes, end) - max(opens, begin))
            day += timedelta(days=1)
        return total


def wall(zone, millis):
    """What the wall shows, as a naive time."""
    there = datetime.fromtimestamp(millis // 1000, zoneinfo.ZoneInfo(zone))
    return there.replace(tzinfo=None, fold=0) + timedelta(milliseconds=millis % 1000)


def millis_of(moment):
    """Milliseconds since 1970 of an aware time; exact, for there is no float in it."""
    return (moment.astimezone(timezone.utc) - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(milliseconds=1)


def instant(text):
    """Milliseconds since 1970 of an instant as the events write it."""
    return millis_of(datetime.fromisoformat(text.replace("Z", "+00:00")))


def iso(millis):
    """As events write an instant."""
    moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=millis)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


class Calendars:
    """Calendars by zone, made when first asked for."""

    def __init__(self, first_millis, last_millis):
        # So that the week and the month at both ends are whole.
        self.first = first_millis // QUARTER_MS - 40 * 96
        self.last = last_millis // QUARTER_MS + 40 * 96
        self.zones = {}

    def windows(self, zone, size, shift=None):
        """Tells the window around an instant, (start, end) in milliseconds; None where there is none."""
        if zone not in self.zones:
            self.zones[zone] = Calendar(zone, self.first, self.last)
        windows, first = self.zones[zone].windows(size, shift), self.first
        return lambda millis: windows[millis // QUARTER_MS - first]
