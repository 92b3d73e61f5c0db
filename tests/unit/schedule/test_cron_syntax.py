"""What Debian's cron refuses, never runs or reads as something else is said before it is committed."""

from __future__ import annotations

import pytest

from runner.errors import ScheduleError
from tests.support.nights import at, schedule


@pytest.mark.parametrize(
    ("expression", "message", "hint"),
    [
        ("0 0 * * fri-sun", "weekday range fri-sun runs backwards", "fri,sat,sun"),
        ("0 0 * * 6-1", "weekday range 6-1 runs backwards", "sat,sun,mon"),
        ("0 22-2 * * *", "hour range 22-2 runs backwards", "22-23,0-2"),
        ("50-10 * * * *", "minute range 50-10 runs backwards", "50-59,0-10"),
        ("0 0 28-3 * *", "day range 28-3 runs backwards", "28-31,1-3"),
        ("0 0 * nov-feb *", "month range nov-feb runs backwards", "11-12,1-2"),
        ("0 0 * * 5#2", "weekday", "rrule"),
        pytest.param("0 0 * * mon#1", "weekday", "rrule"),
        ("0 0 * * 5L", "weekday", "rrule"),
        ("0 0 L * *", "day", "rrule"),
        ("0 0 LW * *", "day", "rrule"),
        ("0 0 15W * *", "day", "rrule"),
        ("0 0 ? * *", "day '?'", "* instead of ?"),
        ("0 0 * * ?", "weekday '?'", "* instead of ?"),
        ("0 0 0 * * *", "6 fields where cron has five", "seconds"),
        ("0 0 0 * * * 2026", "7 fields where cron has five", "years"),
        ("0 0 * *", "4 fields where cron has five", "minute hour day-of-month month day-of-week"),
        ("0", "1 field where cron has five", "minute hour"),
        ("", "0 fields where cron has five", "minute hour"),
        ("   ", "0 fields where cron has five", "minute hour"),
        ("*/0 * * * *", "step /0", "*/5"),
        ("*/-1 * * * *", "step /-1", "*/5"),
        ("*/ * * * *", "step /", "*/5"),
        ("*/x * * * *", "step /x", "*/5"),
        ("*/5/2 * * * *", "step /5/2", "*/5"),
        ("*/61 * * * *", "step /61 is larger", "frequency"),
        ("* */25 * * *", "step /25 is larger", "frequency"),
        ("* * */32 * *", "step /32 is larger", "frequency"),
        ("5/15 * * * *", "5/15", "5-59/15"),
        ("0 8/2 * * *", "8/2", "8-23/2"),
        pytest.param("0 0 mon/2 * *", "'mon/2' is not understood", "numbers"),
        ("@reboot", "@reboot is not a time", "@daily"),
        ("@every 5m", "@every", "frequency"),
        ("@fortnightly", "unknown macro @fortnightly", "@daily"),
        ("@", "unknown macro", "@daily"),
        ("60 * * * *", "minute 60 is out of range", "from 0 to 59"),
        ("* 24 * * *", "hour 24 is out of range", "from 0 to 23"),
        ("0 0 0 * *", "day 0 is out of range", "from 1 to 31"),
        ("0 0 32 * *", "day 32 is out of range", "from 1 to 31"),
        ("0 0 1 0 *", "month 0 is out of range", "from 1 to 12"),
        ("0 0 1 13 *", "month 13 is out of range", "from 1 to 12"),
        ("0 0 1 jan,13 *", "month 13 is out of range", "from 1 to 12"),
        ("0 0 * * 8", "weekday 8 is out of range", "from 0 to 7"),
        ("0-60 * * * *", "minute 60 is out of range", "from 0 to 59"),
        ("-1 * * * *", "'-1' is not understood", "numbers"),
        ("1- * * * *", "'1-' is not understood", "numbers"),
        ("1-2-3 * * * *", "'1-2-3' is not understood", "numbers"),
        ("*-5 * * * *", "'*-5' is not understood", "numbers"),
        (", * * * *", "minute '' is not understood", "numbers"),
        ("1,,2 * * * *", "minute '' is not understood", "numbers"),
        ("1.5 * * * *", "'1.5' is not understood", "numbers"),
        ("+5 * * * *", "'+5' is not understood", "numbers"),
        ("٣ * * * *", "is not understood", "numbers"),
        ("0 0 * * tues", "'tues' is not understood", "tue"),
        ("0 0 * june *", "'june' is not understood", "jun"),
        ("0 0 fri * *", "day 'fri' is not understood", "numbers"),
        ("H * * * *", "is not understood", "numbers"),
        ("~ * * * *", "is not understood", "numbers"),
        ("0 0 31 4 *", "day 31 does not exist in month 4", "correct"),
        ("0 0 30 2 *", "day 30 does not exist in month 2", "correct"),
        ("0 0 31 2,4,6,9,11 *", "does not exist", "correct"),
        ("0 0 30 feb */2", "does not exist", "correct"),
        ("99999999999999999999 * * * *", "", "minute"),
    ],
)  # fmt: skip
def test_what_cron_cannot_mean_is_refused_with_what_to_write_instead(expression: str, message: str, hint: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        schedule(cron=expression)
    assert caught.value.field == "cron"
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
    assert str(caught.value) == caught.value.message


@pytest.mark.parametrize(
    "expression",
    [
        "* * * * *", "*/59 */23 */31 */12 */7", "0-59/2 0-23 1-31 1-12 0-7", "5,10-20/5,*/30 * * * *", "@DAILY", " @daily ",
        "0 0 * JAN-DEC SUN-SAT", "0 0 31 2 mon", "0 0 29 2 *", "0 0 31 1,2 *", "00 08 01 01 00", "*/60 * * * *",
    ],
)  # fmt: skip
def test_what_debians_cron_understands_is_accepted(expression: str) -> None:
    assert schedule(cron=expression).after(at("2026-01-01")) is not None


@pytest.mark.parametrize("backwards", ["fri-sun", "6-1", "sat-0"])
def test_the_hint_for_a_backward_weekday_range_is_itself_accepted(backwards: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        schedule(cron=f"0 0 * * {backwards}")
    assert schedule(cron=f"0 0 * * {(caught.value.hint or '').removeprefix('write ')}").after(at("2026-01-01"))
