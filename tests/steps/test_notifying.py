"""One message per incident: when it is due, its content, and that it is sent once."""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pandas as pd
import pytest

from pipeline import settings
from pipeline.cases import ChannelRange, SeenDegradation
from pipeline.data.label_request import Author
from pipeline.detector.attribution import Blame
from pipeline.errors import OutageError
from pipeline.incidents import Incident
from pipeline.steps import notifying, threshold_watch
from pipeline.steps.case_answering import answer_case
from pipeline.store.cases import cases_after, settle_cases, state_degradation
from tests.cases.made import FIRST, facts, far, shift, stretch
from tests.steps.flagged_days import put_flags, put_threshold

NAME = "la_haute_borne"
START = pd.Timestamp("2014-05-01 03:10", tz="UTC")
NOW = datetime(2014, 5, 2, 1, tzinfo=UTC)
DAY = "2014-05-01"
INCIDENT = Incident(
    id="0123456789ab",
    kind="anomaly",
    status="raised",
    entity="R80711",
    start=START,
    end=START + pd.Timedelta(hours=2),
    rows=13,
    peak=7.1,
    peak_at=START + pd.Timedelta(minutes=30),
    version=3,
    features=(Blame("power", 41.0), Blame("pitch", 6.0)),
)


@pytest.fixture
def found(monkeypatch, tmp_path):
    """The incidents that the tables hold; a test may change the list."""
    monkeypatch.setenv("PLIMSOLL_STORAGE", str(tmp_path))
    incidents = [INCIDENT]
    monkeypatch.setattr(notifying, "incidents_between", lambda *_, **__: incidents)
    return incidents


@pytest.mark.usefixtures("found")
def test_a_message_says_that_the_threshold_is_provisional(monkeypatch):
    (sure,) = notifying.due(settings.load(), NAME, [DAY], now=NOW)
    monkeypatch.setattr(notifying, "effective_rows_by_version", lambda *_: {3: 42.0})

    (unsure,) = notifying.due(settings.load(), NAME, [DAY], now=NOW)

    assert "provisional" not in sure["text"]
    assert "Its threshold is provisional: it rests on 42 of 100 independent rows." in unsure["text"]


@pytest.mark.usefixtures("found")
def test_a_new_incident_is_notified_with_cause_and_how_to_answer():
    (notice,) = notifying.due(settings.load(), NAME, [DAY], now=NOW)

    assert notice["subject"] == "la_haute_borne: R80711 is anomalous, first of all power"
    assert "From 2014-05-01 03:10 to 2014-05-01 05:10 UTC, 13 rows." in notice["text"]
    assert "7.1 x the threshold at 03:40" in notice["text"]
    assert "power (41 x its usual share); pitch (6 x its usual share)" in notice["text"]
    assert [
        shlex.split(line)[-5:] for line in notice["text"].splitlines() if " label " in line
    ] == [
        [NAME, "--incident", INCIDENT.id, "--verdict", verdict]
        for verdict in ("incident", "normal")
    ]  # each on a line of its own, to be pasted


def test_an_incident_is_notified_once_however_long_it_lasts(found):
    (notice,) = notifying.due(settings.load(), NAME, [DAY], now=NOW)
    notifying.record_sent(settings.load(), notice, channel="log", run="r1")
    found[:] = [replace(INCIDENT, end=START + pd.Timedelta(days=1))]

    again = notifying.due(settings.load(), NAME, ["2014-05-02"], now=NOW + timedelta(days=1))

    assert again == []


@pytest.mark.usefixtures("found")
def test_history_is_not_notified():
    assert notifying.due(settings.load(), NAME, [DAY], now=NOW + timedelta(days=3)) == []
    assert len(notifying.due(settings.load(), NAME, [DAY], now=NOW + timedelta(days=2))) == 1


def test_a_withdrawn_incident_is_not_notified(found):
    found[:] = [replace(INCIDENT, status="withdrawn")]

    assert notifying.due(settings.load(), NAME, [DAY], now=NOW) == []


def test_a_shifted_sensor_is_named(found):
    found[:] = [replace(INCIDENT, kind="shifted feature", peak=0.0)]

    (notice,) = notifying.due(settings.load(), NAME, [DAY], now=NOW)

    assert "R80711 has a sensor that left its range, first of all power" in notice["subject"]
    assert "Peak" not in notice["text"]


ODD = [
    "pump\nBcc: all@example.org",
    "\x1b[2Jpump",
    "<!channel> & <http://evil|x>",
    "x" * 10_000,
    "\u202epump",
]


@pytest.mark.parametrize("name", ODD)
def test_an_odd_name_makes_one_printable_line_and_stays_what_it_is(found, name):
    found[:] = [replace(INCIDENT, entity=name)]

    (notice,) = notifying.due(settings.load(), NAME, [DAY], now=NOW)

    assert notice["subject"].isprintable()
    assert len(notice["subject"]) < 300
    assert notice["entity"] == name


def named(*names):
    return [replace(INCIDENT, id=f"id-{name}", entity=name) for name in names]


def test_one_message_that_is_not_sent_does_not_stop_the_others(found):
    found[:] = named("a", "b", "c")
    sent = []

    def send(notice):
        if notice["entity"] == "b":
            msg = "https://hooks.example/T1/B1/secret did not answer"
            raise ConnectionError(msg)
        sent.append(notice["entity"])

    with pytest.raises(OutageError) as failed:
        notifying.send_notices(
            settings.load(),
            notifying.due(settings.load(), NAME, [DAY], now=NOW),
            send,
            channel="slack",
            run="r1",
        )

    assert sent == ["a", "c"]
    message = str(failed.value)
    assert "1 of 3 messages did not go out by slack (ConnectionError): incidents id-b" in message
    assert "secret" not in message

    (left,) = notifying.due(settings.load(), NAME, [DAY], now=NOW)
    assert left["entity"] == "b"
    assert (
        notifying.send_notices(settings.load(), [left], lambda _: None, channel="slack", run="r2")
        == 1
    )
    assert notifying.due(settings.load(), NAME, [DAY], now=NOW) == []


MONDAY, SUNDAY = date(2014, 4, 28), date(2014, 5, 4)


def settled(*days):
    """The flow of one machine is out of its range on these days."""
    both = {day: facts(shift(stretch((day - FIRST).days, 0, 23), machine="R80711")) for day in days}
    settle_cases(settings.load(), NAME, both)


def reminders(*days):
    return [
        notice
        for notice in notifying.due(
            settings.load(),
            NAME,
            [str(day) for day in days],
            now=datetime.combine(days[-1], time(9), UTC) + timedelta(days=1),
        )
        if notice["kind"] == "open cases"
    ]


def sent(*days):
    found = reminders(*days)
    for notice in found:
        notifying.record_sent(settings.load(), notice, channel="log", run="r1")
    return len(found)


def test_open_cases_are_remembered_once_a_week(found):
    found.clear()
    week = [MONDAY + timedelta(days=n) for n in range(15)]
    settled(*week)

    assert [sent(day) for day in week] == [1, *[0] * 6, 1, *[0] * 6, 1]
    assert sent(MONDAY) == 0  # scored again


def test_a_week_whose_monday_failed_is_remembered_on_its_next_day(found):
    found.clear()
    settled(MONDAY, SUNDAY)

    assert sent(SUNDAY) == 1
    assert sent(MONDAY) == 0


def test_a_reminder_lists_the_cases_and_how_to_answer(found):
    found.clear()
    settled(MONDAY)

    (notice,) = reminders(MONDAY)

    assert notice["subject"] == f"{NAME}: 1 case is open, the oldest since {MONDAY}"
    assert "shift of R80711, 2014-04-28 00:00 to 2014-04-28 23:00 UTC." in notice["text"]
    assert "flow stays outside its training range" in notice["text"]
    commands = [shlex.split(line) for line in notice["text"].splitlines() if " cases " in line]
    assert [words[-3] for words in commands[:2]] == ["normal from now on", "was a fault"]


def degraded(day, *, machines=("R80711", "R80790"), channels=("oil", "gearbox")):
    """Put on record that the scores have grown for a month, and are told of on `day`."""
    why = "the score rose (D 0.31). Most of it: oil, gearbox of R80711, R80790."
    since = MONDAY - timedelta(days=30)
    said = SeenDegradation(day, machines, channels, why, since=since)
    state_degradation(settings.load(), NAME, said)


def told(day):
    """The notices of `day` about a degradation; they are sent."""
    now = datetime.combine(day, time(9), UTC) + timedelta(days=1)
    notices = notifying.due(settings.load(), NAME, [str(day)], now=now)
    for notice in notices:
        notifying.record_sent(settings.load(), notice, channel="log", run="r1")
    return [notice for notice in notices if notice["kind"] == "degradation"]


def test_a_degradation_is_told_with_its_channels_machines_and_action(found):
    found.clear()
    degraded(MONDAY)

    (notice,) = told(MONDAY)

    (case,) = cases_after(settings.load(), NAME, MONDAY)
    assert notice["incident"] == case.id
    assert notice["subject"] == (
        f"{NAME}: the scores of R80711, R80790 grow; gearbox, oil carry most of it"
    )
    assert "the score rose (D 0.31)" in notice["text"]
    assert "Action: look. No threshold and no model follows it by itself." in notice["text"]
    commands = [shlex.split(line) for line in notice["text"].splitlines() if " cases " in line]
    assert [words[-4:-2] for words in commands] == [
        [case.id, "was a fault"],
        [case.id, "normal from now on"],
    ]


def test_a_degradation_is_told_once_however_long_it_lasts(found):
    found.clear()
    degraded(MONDAY)
    first = told(MONDAY)
    degraded(MONDAY + timedelta(days=9))

    assert len(first) == 1
    assert told(MONDAY + timedelta(days=9)) == []


def test_a_degradation_of_a_machine_without_a_name_is_the_detectors(found):
    found.clear()
    degraded(MONDAY, machines=(), channels=("oil",))

    (notice,) = told(MONDAY)

    assert notice["subject"] == f"{NAME}: the scores of {NAME} grow; oil carries most of it"


POWER = ChannelRange("power", 0.0, 2000.0, 40.0)
MAY = [FIRST + timedelta(days=n) for n in range(31)]


def power_at(number, value, machine="R80711"):
    """A day on which the power of a machine stayed at this value."""
    out = shift(far(number, value), machine=machine, channel="power")
    return facts(out, machines=(machine,), ranges=(POWER,))


def powers(values, days=MAY):
    return {day: power_at((day - FIRST).days, values[(day - FIRST).days]) for day in days}


def growth_told(day, *, send=True):
    """The notices about growth that are due when `day` was scored; they are sent."""
    now = datetime.combine(day, time(9), UTC) + timedelta(days=1)
    notices = notifying.due(settings.load(), NAME, [str(day)], now=now)
    for notice in notices if send else ():
        notifying.record_sent(settings.load(), notice, channel="log", run="r1")
    return [notice for notice in notices if notice["kind"] == "grown shift"]


# As a channel at +6, +20 and +100 sd: 0.5, 2.7 and 15.6 widths of its range outside it.
GROWS = [3000.0] * 10 + [7400.0] * 10 + [33200.0] * 11


def test_a_shift_is_told_once_more_at_each_doubling(found):
    found.clear()
    counts = []
    for number, day in enumerate(MAY):
        settle_cases(settings.load(), NAME, powers(GROWS, [day]))
        counts += [number] * len(growth_told(day))
        counts += [number] * len(growth_told(day))  # the task is cleared

    assert counts == [10, 20]


def test_growth_is_told_with_its_size_its_range_and_how_to_answer(found):
    found.clear()
    settle_cases(settings.load(), NAME, powers(GROWS, MAY[:11]))

    (notice,) = growth_told(MAY[10])

    (case,) = cases_after(settings.load(), NAME, MAY[10])
    assert notice["subject"] == f"{NAME}: power of R80711 is now 5.4 times as far outside its range"
    assert (notice["entity"], notice["day"]) == ("R80711", str(MAY[10]))
    first, values, *_ = notice["text"].splitlines()
    assert first == (
        "Since 2024-05-11 00:00 UTC power of R80711 is 5.4 times as far outside its range, as when "
        "it was last told or called normal:"
    )
    assert values == "7400 kW, above the range of 0 to 2000 kW."
    commands = [shlex.split(line) for line in notice["text"].splitlines() if " cases " in line]
    assert [words[-4:-2] for words in commands] == [
        [case.id, "was a fault"],
        [case.id, "normal from now on"],
    ]


ORDERS = [
    ([*MAY[5:], *MAY[:5]], [10, 20]),  # the case turns out to begin earlier than it was told
    ([*MAY[25:], *MAY[10:25], *MAY[:10], *MAY], [20]),
    ([*reversed(MAY), *MAY], [10, 20]),
]


@pytest.mark.parametrize(("order", "grew"), ORDERS)
def test_growth_is_told_once_in_any_order_of_days(found, monkeypatch, order, grew):
    found.clear()
    patient(monkeypatch)
    told = []
    for day in order:
        settle_cases(settings.load(), NAME, powers(GROWS, [day]))
        told += growth_told(day)

    assert [notice["day"] for notice in told] == [str(MAY[number]) for number in grew]


@pytest.mark.parametrize("changed", [0.97, 1.03])
def test_growth_is_told_once_when_days_are_scored_again(found, monkeypatch, changed):
    found.clear()
    patient(monkeypatch)
    settle_cases(settings.load(), NAME, powers(GROWS))
    assert len(growth_told(MAY[-1])) == 1

    settle_cases(settings.load(), NAME, powers([3000.0, *(changed * each for each in GROWS[1:])]))

    assert growth_told(MAY[-1]) == []


def patient(monkeypatch):
    """No day of the month is history."""
    original = notifying.detector_named

    def changed(here, detector):
        spec = original(here, detector)
        return spec.model_copy(
            update={"notify": spec.notify.model_copy(update={"horizon_days": 60})}
        )

    monkeypatch.setattr(notifying, "detector_named", changed)


def test_growth_of_history_is_not_told(found):
    found.clear()
    settle_cases(settings.load(), NAME, powers(GROWS, MAY[:14]))

    assert growth_told(MAY[13]) == []


def test_growth_of_a_case_that_was_called_normal_is_told_when_it_has_outgrown_that(found):
    found.clear()
    here = settings.load()
    settle_cases(here, NAME, powers(GROWS, MAY[:11]))
    (case,) = cases_after(here, NAME, MAY[10])
    said = Author("ann", datetime.combine(MAY[11], time(8), UTC))
    answer_case(here, NAME, case.id, "normal from now on", said, "a new rotor")
    assert growth_told(MAY[10], send=False) == []

    settle_cases(here, NAME, powers([12000.0] * 31, MAY[11:13]))
    assert growth_told(MAY[12]) == []
    settle_cases(here, NAME, powers([13000.0] * 31, MAY[13:15]))
    (notice,) = growth_told(MAY[14])
    assert "2.0 times as far outside its range" in notice["subject"]
    assert growth_told(MAY[14]) == []


def test_a_later_case_of_the_channel_is_told_anew(found):
    found.clear()
    here = settings.load()
    calm = {day: facts(machines=("R80711",), ranges=(POWER,)) for day in MAY[13:16]}
    settle_cases(here, NAME, powers([3000.0] * 12 + [7400.0], MAY[:13]) | calm)
    assert len(growth_told(MAY[12])) == 1
    settle_cases(here, NAME, powers([3000.0] * 18 + [7400.0], MAY[16:19]))

    assert len(growth_told(MAY[18])) == 1


def test_growth_below_the_range_of_a_machine_without_a_name_is_told(found):
    found.clear()
    here = settings.load()
    for number, value in enumerate((3000.0, -3000.0)):
        settle_cases(here, NAME, {MAY[number]: power_at(number, value, machine="")})

    (notice,) = growth_told(MAY[1])

    assert notice["subject"] == f"{NAME}: power of {NAME} is now 3.0 times as far outside its range"
    assert "-3000 kW, below the range of 0 to 2000 kW." in notice["text"]


def test_what_turned_to_the_other_end_since_it_was_called_normal_is_told(found):
    found.clear()
    here = settings.load()
    settle_cases(here, NAME, powers([3000.0] * 31, MAY[:2]))
    (case,) = cases_after(here, NAME, MAY[1])
    said = Author("ann", datetime.combine(MAY[2], time(8), UTC))
    answer_case(here, NAME, case.id, "normal from now on", said, "a new rotor")
    settle_cases(here, NAME, powers([-2100.0] * 31, MAY[2:3]))

    (notice,) = growth_told(MAY[2])

    assert notice["subject"].endswith("power of R80711 is now below its range and not above it")


@pytest.mark.parametrize("name", ODD)
def test_growth_of_an_odd_name_makes_printable_lines(found, name):
    found.clear()
    here, odd = settings.load(), replace(POWER, channel=name)
    for number, value in enumerate((3000.0, 9000.0)):
        out = shift(far(number, value), machine=name, channel=name)
        settle_cases(here, NAME, {MAY[number]: facts(out, machines=(name,), ranges=(odd,))})

    (notice,) = growth_told(MAY[1])

    assert notice["subject"].isprintable()
    assert all(line.isprintable() for line in notice["text"].splitlines())
    assert len(notice["subject"]) < 400
    assert notice["entity"] == name


def test_nothing_open_is_not_remembered(found):
    found.clear()
    settled(MONDAY)
    ours = cases_after(settings.load(), NAME, MONDAY)[0]
    settle_cases(settings.load(), NAME, {MONDAY + timedelta(days=1): facts(machines=("R80711",))})

    assert ours
    assert reminders(MONDAY + timedelta(days=1)) == []


def test_a_reminder_of_many_cases_stays_short(found):
    found.clear()
    machines = [f"pump\n{n}" for n in range(40)]
    shown = facts(
        *(shift(stretch((MONDAY - FIRST).days, 0, 23), machine=name) for name in machines),
        machines=machines,
    )
    settle_cases(settings.load(), NAME, {MONDAY: shown})

    (notice,) = reminders(MONDAY)

    assert "40 cases are open" in notice["subject"]
    assert "and 20 more." in notice["text"]
    assert len(notice["text"].splitlines()) < 50


RIVER = [date(2014, 4, 18) + timedelta(days=n) for n in range(20)]
BREAKS = RIVER[12]  # 2014-04-30


@pytest.fixture
def river(found):
    """Twenty days; from the noon of one of them on half of the rows are flagged, for three days."""
    here = settings.load()
    put_threshold(here, NAME)
    put_flags(here, NAME, RIVER, 0.0)
    put_flags(here, NAME, RIVER[12:13], 0.5, from_row=72)
    put_flags(here, NAME, RIVER[13:15], 0.5)
    found.clear()
    return found


def sent_on(day, *, without_cases=True):
    """The notices of a day, which are sent."""
    now = datetime.combine(day, time(9), UTC) + timedelta(days=1)
    notices = notifying.due(settings.load(), NAME, [str(day)], now=now)
    for notice in notices:
        notifying.record_sent(settings.load(), notice, channel="log", run="r1")
    return [each for each in notices if not without_cases or each["kind"] != "open cases"]


def incident(day, hour, **changed):
    start = pd.Timestamp(datetime.combine(day, time(hour), UTC))
    name = f"{day}-{hour}-{changed.get('kind', 'anomaly')}"
    return replace(INCIDENT, id=name, start=start, end=start + pd.Timedelta(hours=1), **changed)


def test_one_message_says_that_the_threshold_does_not_hold(river):
    assert [sent_on(day) for day in RIVER[10:12]] == [[], []]
    river[:] = [incident(BREAKS, hour) for hour in (3, 13, 16, 20)]

    first, before = sent_on(BREAKS)

    assert before["incident"] == "2014-04-30-3-anomaly"  # it began before
    assert first["kind"] == "threshold does not hold"
    assert first["subject"] == f"{NAME}: the threshold does not hold since 2014-04-30 12:00 UTC"
    said = first["text"].splitlines()
    assert "of 63 rows that count in 12 hours up to 2014-05-01 00:00 UTC" in said[0]
    assert "channels that carry the flags: power 100%; its threshold was" in said[1]
    assert said[2].startswith("Do: look at what the flagged rows show")
    assert shlex.split(said[3])[-3:] == ["label", NAME, "--list"]
    assert "3 incidents have begun" in first["text"]


def test_it_is_said_once_and_single_anomalies_that_begin_since_are_not(river):
    river[:] = [incident(BREAKS, 13)]
    sent_on(BREAKS)

    assert sent_on(BREAKS) == []  # scored again
    river[:] = [incident(RIVER[13], 4), incident(RIVER[13], 5, kind="shifted feature")]
    assert [each["kind"] for each in sent_on(RIVER[13])] == ["shifted feature"]


@pytest.mark.usefixtures("river")
def test_a_beginning_that_moves_by_a_day_is_not_said_again():
    sent_on(BREAKS)
    put_flags(settings.load(), NAME, RIVER[12:13], 0.0)  # scored again, with nothing

    assert sent_on(RIVER[13]) == []


def test_once_the_share_is_back_single_messages_go_on_and_the_end_is_told(river):
    days = RIVER[12:19]

    told = [[each["kind"] for each in sent_on(day)] for day in days]

    # Two days after the newest one of which more was flagged.
    assert told == [["threshold does not hold"], [], [], [], [], ["threshold holds again"], []]
    river[:] = [incident(RIVER[17], 4)]
    assert [each["kind"] for each in sent_on(RIVER[17])] == ["anomaly"]


@pytest.mark.usefixtures("river")
def test_a_day_from_before_that_is_scored_again_does_not_end_it():
    sent_on(BREAKS)

    assert sent_on(RIVER[11]) == []
    assert sent_on(RIVER[13]) == []


@pytest.mark.usefixtures("river")
def test_a_day_before_the_newest_time_that_is_scored_again_does_not_end_it():
    for day in RIVER[12:18]:
        sent_on(day)
    put_flags(settings.load(), NAME, RIVER[18:], 0.5)
    told = [each["kind"] for each in sent_on(RIVER[18])]

    assert told == ["threshold does not hold"]
    assert sent_on(RIVER[17]) == []


@pytest.mark.usefixtures("river")
def test_no_old_notice_is_read_while_all_is_well(monkeypatch):
    monkeypatch.setattr(notifying, "last_notice", lambda *_: 1 / 0)

    assert sent_on(RIVER[10]) == []


@pytest.mark.usefixtures("river")
def test_another_version_whose_share_is_as_promised_ends_it():
    sent_on(BREAKS)
    put_threshold(settings.load(), NAME, version=4)
    put_flags(settings.load(), NAME, RIVER[13:14], 0.0, version=4)

    assert [each["kind"] for each in sent_on(RIVER[13])] == ["threshold holds again"]


@pytest.mark.usefixtures("river")
def test_what_began_before_the_rows_that_are_read_is_not_said_again(monkeypatch):
    sent_on(BREAKS)
    days = [BREAKS + timedelta(days=n) for n in range(1, 60)]
    put_flags(settings.load(), NAME, days, 0.5)
    monkeypatch.setattr(threshold_watch, "_MOST_ROWS", 1)

    assert [sent_on(day) for day in days[5::20]] == [[], [], []]
