"""Lengths of time: how they are written, and which instant lies so long before another."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.spans import Span, parse_span


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("14d", Span(days=14)),
        ("36h", Span(hours=36)),
        ("1y6m", Span(years=1, months=6)),
        ("1y5m7d2h", Span(years=1, months=5, days=7, hours=2)),
        ("0y14d", Span(days=14)),
    ],
)
def test_what_restic_takes_is_taken(text: str, span: Span) -> None:
    assert parse_span(text) == span


@pytest.mark.parametrize(
    "text",
    [
        "",
        "14",
        "d",
        "14 d",
        "-14d",
        "1.5d",
        "2w",
        "30min",
        "14D",
        "7d1m",
        "0d",
        "0y0m0d0h",
        "1000000000d",
        "\u0661d",
        "14d\n",
    ],
)
def test_nothing_else_is(text: str) -> None:
    assert parse_span(text) is None


amounts = st.integers(0, 99)
spans = st.builds(Span, years=amounts, months=amounts, days=amounts, hours=amounts).filter(
    lambda span: span.is_positive
)


@given(spans)
def test_it_is_read_as_it_is_written(span: Span) -> None:
    assert parse_span(str(span)) == span


@pytest.mark.parametrize(
    ("span", "moment", "before"),
    [
        (Span(hours=36), "2026-11-22T02:00", "2026-11-20T14:00"),
        (Span(days=14), "2026-11-22T02:00", "2026-11-08T02:00"),
        (Span(months=1), "2026-11-22T02:00", "2026-10-22T02:00"),
        (Span(months=1), "2026-03-31T02:00", "2026-03-01T00:00"),
        (Span(months=1), "2024-03-31T02:00", "2024-03-01T00:00"),
        (Span(months=11), "2026-11-30T02:00", "2025-12-30T02:00"),
        (Span(months=12), "2026-11-30T02:00", "2025-11-30T02:00"),
        (Span(years=1), "2024-02-29T02:00", "2023-03-01T00:00"),
        (Span(years=1, months=1, days=1, hours=1), "2026-01-01T00:00", "2024-11-29T23:00"),
    ],
)
def test_before(span: Span, moment: str, before: str) -> None:
    at, expected = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (moment, before))
    assert span.before(at) == expected


def test_the_calendar_is_that_of_utc() -> None:
    late_in_utc = datetime(2026, 4, 1, 0, 30, tzinfo=timezone(timedelta(hours=2)))  # 22:30 of 31 March
    assert Span(months=1).before(late_in_utc) == datetime(2026, 3, 1, tzinfo=UTC)


def test_a_day_that_the_month_lacks_is_not_before_the_months_last_day() -> None:
    last = Span(months=2).before(datetime(2026, 1, 30, 23, 0, tzinfo=UTC))
    assert last < Span(months=2).before(datetime(2026, 1, 31, 0, 0, tzinfo=UTC))


@pytest.mark.parametrize("span", [Span(years=9999), Span(months=99_999), Span(days=999_999)])
def test_before_all_time_is_the_beginning_of_time(span: Span) -> None:
    moment = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
    assert span.before(moment) == datetime.min.replace(tzinfo=UTC)


half_a_century = st.integers(0, 50 * 366 * 24).map(
    lambda hours: datetime(1990, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
)


@given(spans, half_a_century, st.integers(0, 400 * 24))
def test_a_later_moment_never_has_an_earlier_answer(span: Span, moment: datetime, hours: int) -> None:
    assert span.before(moment) <= span.before(moment + timedelta(hours=hours))
