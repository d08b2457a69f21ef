"""What local time is, by Python's zoneinfo over the tzdata package: an oracle that shares nothing with our code but the database.

    oracle.py version                         the release of the zone database
    oracle.py zones                           every zone: its changes and what lies around them, 1970 to 2037; links; Windows' names
    oracle.py business SEED SCHEDULES COUNT   random schedules, each with COUNT intervals and their business time

One fact a line; `tests/it/oracle.rs` reads them. Instants are seconds since 1970 in `zones` and microseconds in `business`.
"""

import random
import struct
import sys
import zoneinfo
from bisect import bisect_left
from datetime import date, datetime, timedelta, timezone
from importlib import resources

zoneinfo.reset_tzpath([])  # the package's files, never the machine's

UTC = timezone.utc
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICRO = timedelta(microseconds=1)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
FIRST, LAST = 0, 2_145_916_800  # 1970 up to and without 2038


def data(name):
    return (resources.files("tzdata") / "zoneinfo").joinpath(*name.split("/")).read_bytes()


def names():
    return (resources.files("tzdata") / "zones").read_text().split()


def offset_at(zone, second):
    return datetime.fromtimestamp(second, zone).utcoffset() // SECOND


def listed_changes(content):
    """The instants that a zone's file lists itself (RFC 9636, the second block with 64-bit instants)."""

    def counts(at):
        return struct.unpack(">6l", content[at + 20 : at + 44])

    isut, isstd, leap, times, types, chars = counts(0)
    at = 44 + times * 5 + types * 6 + chars + leap * 8 + isstd + isut
    times = counts(at)[3]
    return struct.unpack(f">{times}q", content[at + 44 : at + 44 + 8 * times])


def changes(zone, content):
    """(second, offset before, offset after): the file's own list, and what its rule for the time after gives, by search."""
    listed = listed_changes(content)
    seconds = {at for at in listed if FIRST <= at < LAST}
    step = 30 * 86_400  # such a rule has one summer a year
    for begin in range(max((FIRST - 1, *listed[-1:])), LAST - 1, step):
        low, high = begin, min(begin + step, LAST - 1)
        before, after = offset_at(zone, low), offset_at(zone, high)
        if before == after:
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset_at(zone, middle) == before else (low, middle)
        seconds.add(high)
    for at in sorted(seconds):
        before, after = offset_at(zone, at - 1), offset_at(zone, at)
        if before != after:
            yield at, before, after


def instants(zone, naive):
    """All instants at which the clock shows `naive`, ascending; none in a gap."""
    found = set()
    for fold in (0, 1):
        instant = naive.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        if instant.astimezone(zone).replace(tzinfo=None) == naive:
            found.add(instant)
    return sorted(found)


def gap_end(zone, naive):
    """The first instant after the gap that `naive` lies in: between what the offsets before and after it make of `naive`."""
    low, high = sorted((naive.replace(tzinfo=zone, fold=fold) - EPOCH) // SECOND for fold in (0, 1))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if datetime.fromtimestamp(middle, zone).replace(tzinfo=None) < naive else (low, middle)
    return EPOCH + high * SECOND


def zones():
    groups = {}
    for name in names():
        groups.setdefault(data(name), []).append(name)
    for content, group in groups.items():
        print("zone", *group)
        zone = zoneinfo.ZoneInfo(group[0])
        around = set()
        for at, before, after in changes(zone, content):
            print("change", at, before, after)
            for second in (at - 1, at, at + 1):
                print("utc", second, offset_at(zone, second))
            for wall in (at + before, at + after):
                around.update((wall - 1, wall, wall + 1))
            around.add(at + (before + after) // 2)
        for wall in sorted(around):
            naive = datetime(1970, 1, 1) + timedelta(seconds=wall)
            found = instants(zone, naive) or [gap_end(zone, naive)]
            earliest, latest = ((found[i] - EPOCH) // SECOND for i in (0, -1))
            print("local", naive.isoformat(), earliest, latest)
    countries = [line.split("\t")[2] for line in data("zone.tab").decode().splitlines() if not line.startswith("#")]
    print("countries", *countries)
    for line in data("tzdata.zi").decode().splitlines():
        if line.startswith("L "):
            print("link", *reversed(line.split()[1:]))
    try:
        from tzlocal.windows_tz import win_tz
    except ImportError:
        print("skipped Windows' names: the package tzlocal is not installed")
        return
    for name, iana in win_tz.items():
        print(f"windows {iana} {name}")


WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
SHORTHANDS = {"everyday": WEEKDAYS, "weekdays": WEEKDAYS[:5], "weekend": WEEKDAYS[5:]}


def clock(minute):
    return f"{minute // 60:02}:{minute % 60:02}"


def random_spans(rng):
    """Spans of a day as texts, without overlap, the last perhaps over midnight."""
    grain = rng.choice((1, 15, 60))
    points = sorted(rng.sample(range(0, 1_441, grain), rng.choice((0, 2, 2, 2, 4, 6))))
    spans = [f"{clock(a)}-{clock(b)}" for a, b in zip(points[::2], points[1::2])]
    last = points[-1] if points else rng.randrange(1_440)
    if rng.random() < 0.3 and 0 < last < 1_440:
        spans.append(f"{clock(last)}-{clock(rng.randrange(last))}")
    rng.shuffle(spans)
    return spans


def spans_at_change(rng, zone, change):
    """The date of a change of the clock with spans that begin and end in, at and beside its gap or overlap."""
    before, after = (datetime.fromtimestamp(at, zone).replace(tzinfo=None) for at in (change - 1, change))
    midnight = datetime.combine(after.date(), datetime.min.time())
    walls = ((wall - midnight) // timedelta(minutes=1) for wall in (before + SECOND, after))
    near = {wall + minutes for wall in walls for minutes in (-60, -30, -1, 0, 1, 30, 60)}
    points = sorted(rng.sample([minute for minute in sorted(near) if 0 <= minute <= 1_440], 4))
    return after.date(), [f"{clock(a)}-{clock(b)}" for a, b in zip(points[::2], points[1::2])]


class Plan:
    """The hours of seven weekdays, and how a document says them."""

    def __init__(self, rng, table):
        self.lines, self.days = [], {name: [] for name in WEEKDAYS}
        if rng.random() < 0.1:
            self.lines.append("round_the_clock = true")
            self.days = {name: ["00:00-24:00"] for name in WEEKDAYS}
            return
        self.lines.append(f"[{table}]")
        stated = [name for name in SHORTHANDS if rng.random() < 0.5]
        stated += [name for name in WEEKDAYS if rng.random() < 0.4]
        for name in stated:  # from the widest to the narrowest
            spans = random_spans(rng)
            self.lines.append(f"{name} = {toml(spans)}")
            for day in SHORTHANDS.get(name, [name]):
                self.days[day] = spans
        head, *body = self.lines
        rng.shuffle(body)
        self.lines = [head, *body]


def toml(spans):
    return "[" + ", ".join(f'"{span}"' for span in spans) + "]"


class Schedule:
    """A random schedule around a date, its document, and what it means."""

    def __init__(self, rng, zone, around, change):
        def near():
            return around + timedelta(days=rng.randint(-20, 20))

        self.zone, self.cache = zone, {}
        self.valid_from = near() if rng.random() < 0.1 else None
        self.valid_to = near() if rng.random() < 0.1 else None
        if self.valid_from and self.valid_to and self.valid_from >= self.valid_to:
            self.valid_to = None
        self.plan = Plan(rng, "weekly")
        self.dates = {near(): random_spans(rng) if rng.random() < 0.5 else None for _ in range(rng.choice((0, 0, 1, 3, 8)))}
        if change is not None and rng.random() < 0.5:
            day, spans = spans_at_change(rng, zone, change)
            self.dates[day] = spans
        self.seasons, begin = [], near()
        for _ in range(rng.choice((0, 0, 0, 1, 2))):
            end = begin + timedelta(days=rng.randint(1, 60))
            self.seasons.append((begin, end, Plan(rng, "season.weekly")))
            begin = end + timedelta(days=rng.choice((0, 1, 30)))
        self.irregular = [around, *self.dates, *(day for begin, end, _ in self.seasons for day in (begin, end))]

    def document(self, rng):
        lines = ['schedule = "oracle"', "version = 1"]
        for name, value in (("valid_from", self.valid_from), ("valid_to", self.valid_to)):
            if value:
                lines.append(f"{name} = {value}")
        lines += self.plan.lines
        tables = []
        for day, spans in self.dates.items():
            if spans is None:
                tables.append(["[[holiday]]", f"date = {day}"])
            else:
                tables.append(["[[exception]]", f"date = {day}", f"open = {toml(spans)}"])
        for begin, end, plan in self.seasons:
            tables.append(["[[season]]", f"from = {begin}", f"to = {end}", *plan.lines])
        rng.shuffle(tables)
        return lines + [line for table in tables for line in table]

    def hours(self, day):
        if self.valid_from and day < self.valid_from or self.valid_to and day >= self.valid_to:
            return []
        if day in self.dates:
            return self.dates[day] or []
        plan = next((plan for begin, end, plan in self.seasons if begin <= day < end), self.plan)
        return plan.days[WEEKDAYS[day.weekday()]]

    def open_on(self, day):
        """The stretches of instants that begin on a date."""
        if day not in self.cache:
            stretches = []
            for span in self.hours(day):
                begin, end = (int(text[:2]) * 60 + int(text[3:]) for text in span.split("-"))
                midnight = datetime.combine(day, datetime.min.time())
                begin, end = (midnight + timedelta(minutes=m) for m in (begin, end if end > begin else end + 1_440))
                begin, end = self.begins(begin), self.ends(end)
                if begin < end:
                    stretches.append((begin, end))
            self.cache[day] = stretches
        return self.cache[day]

    def begins(self, naive):
        found = instants(self.zone, naive)
        return found[0] if found else gap_end(self.zone, naive)

    def ends(self, naive):
        """After the last instant at which the clock shows less."""
        found = instants(self.zone, naive)
        if not found:
            return gap_end(self.zone, naive)
        shown = (found[-1] - MICRO).astimezone(self.zone).replace(tzinfo=None)
        return found[-1] if shown < naive else found[0]

    def stretches(self, begin, end):
        """All that may touch an interval, each with its date."""
        day, last = begin.astimezone(self.zone).date() - 3 * DAY, end.astimezone(self.zone).date() + 3 * DAY
        while day <= last:
            for stretch in self.open_on(day):
                yield day, *stretch
            day += DAY

    def business(self, begin, end):
        """By a sweep over all beginnings and ends: open while more have begun than ended."""
        edges = []
        for _, opens, closes in self.stretches(begin, end):
            opens, closes = max(opens, begin), min(closes, end)
            if opens < closes:
                edges += [(opens, 1), (closes, -1)]
        total, depth, since = timedelta(), 0, None
        for at, step in sorted(edges):
            if depth == 0:
                since = at
            depth += step
            if depth == 0:
                total += at - since
        return total // MICRO

    def date_open_at(self, instant):
        return min((day for day, opens, closes in self.stretches(instant, instant) if opens <= instant < closes), default=None)


def business(seed, schedules, count):
    rng = random.Random(seed)
    known = [name for name in names() if name != "Factory"]
    fixed = {"+05:45": 345, "-03:30": -210, "UTC+2": 120, "GMT-7": -420}
    found = {}  # the changes of each zone, for zones that come again
    for _ in range(schedules):
        name = rng.choice(known)
        if rng.random() < 0.02:
            name = rng.choice(list(fixed))
            zone, turns = timezone(timedelta(minutes=fixed[name])), []
        else:
            zone = zoneinfo.ZoneInfo(name)
            if name not in found:
                found[name] = [at for at, _, _ in changes(zone, data(name))]
            turns = found[name]
        centre = rng.choice(turns) if turns and rng.random() < 0.7 else rng.randrange(FIRST, LAST)
        around = datetime.fromtimestamp(centre, zone).date()
        schedule = Schedule(rng, zone, around, centre if centre in turns else None)
        document = schedule.document(rng)
        print("schedule", len(document), name)
        print("\n".join(document))
        near_turns = turns[max(0, bisect_left(turns, centre) - 2) :][:4]
        for _ in range(count):
            pick = rng.random()
            if pick < 0.4:
                day = rng.choice(schedule.irregular)
                anchor = datetime(day.year, day.month, day.day, tzinfo=UTC)
            elif pick < 0.7 and near_turns:
                anchor = datetime.fromtimestamp(rng.choice(near_turns), UTC)
            else:
                anchor = datetime.fromtimestamp(centre, UTC) + timedelta(days=rng.uniform(-200, 200))
            anchor += rng.choice((timedelta(), timedelta(hours=1), 4 * DAY)) * rng.uniform(-1, 1)
            hours = rng.choice((0.1, 1, 10, 30, 200, 1_000))
            if rng.random() < 0.002:
                hours = 50_000
            end = anchor + timedelta(hours=hours) * rng.random()
            if rng.random() < 0.5:
                anchor, end = (at.replace(second=0, microsecond=0) for at in (anchor, end))
            inside = schedule.date_open_at(anchor) or "-"
            begin, finish = ((at - EPOCH) // MICRO for at in (anchor, end))
            print("open", begin, finish, schedule.business(anchor, end), inside)


if __name__ == "__main__":
    import tzdata

    match sys.argv[1:]:
        case ["version"]:
            print(tzdata.IANA_VERSION)
        case ["zones"]:
            zones()
        case ["business", seed, schedules, count]:
            business(int(seed), int(schedules), int(count))
        case _:
            sys.exit(__doc__)
