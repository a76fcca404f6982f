"""Lengths of time as people write them: `14d`, `1y6m`, `36h`, as restic does."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_FORM = re.compile(r"(?=.)(?:(\d{1,4})y)?(?:(\d{1,5})m)?(?:(\d{1,6})d)?(?:(\d{1,7})h)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A length of time. Years and months are the calendar's, in UTC; a day is 24 hours."""

    years: int = 0
    months: int = 0
    days: int = 0
    hours: int = 0

    def __str__(self) -> str:
        """As it is written in a plan: `1y6m`, `14d`, `36h`."""
        amounts = ((self.years, "y"), (self.months, "m"), (self.days, "d"), (self.hours, "h"))
        return "".join(f"{amount}{unit}" for amount, unit in amounts if amount) or "0h"

    @property
    def is_positive(self) -> bool:
        amounts = (self.years, self.months, self.days, self.hours)
        return any(amounts) and min(amounts) >= 0

    def before(self, moment: datetime) -> datetime:
        """The instant that lies so long before `moment`.

        In a month that has no such day (31 March less one month) it is the month's end, so that a later
        moment never has an earlier answer.
        """
        utc = moment.astimezone(UTC)
        year, month0 = divmod(utc.year * 12 + utc.month - 1 - self.years * 12 - self.months, 12)
        try:
            days_of_month = monthrange(year, month0 + 1)[1]
            if utc.day <= days_of_month:
                then = utc.replace(year=year, month=month0 + 1)
            else:
                then = datetime(year, month0 + 1, days_of_month, tzinfo=UTC) + timedelta(days=1)
            return then - timedelta(days=self.days, hours=self.hours)
        except (ValueError, OverflowError):  # before the year 1
            return datetime.min.replace(tzinfo=UTC)


def parse_span(text: str) -> Span | None:
    """The span in a text such as `1y6m`, `14d` or `7d12h`; `None` when it is none, or no time at all."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    years, months, days, hours = (int(amount or 0) for amount in found.groups())
    span = Span(years=years, months=months, days=days, hours=hours)
    return span if span.is_positive else None
