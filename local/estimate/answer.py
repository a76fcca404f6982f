"""What a question's data will cost a month, line by line."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from holdfast.core.cost import (
    GIB,
    MONTH,
    ZERO,
    Basis,
    Cost,
    CostLine,
    Prices,
    cost_of,
)
from holdfast.core.future import steady_slots
from holdfast.core.model import CopyRule, KeepPolicy, Plan
from holdfast.core.own_cost import Fixtures, own_cost, per_month
from holdfast.core.usage import Usage
from local.estimate.question import Question, QuestionError, Thing

CHECKS_EVERY = timedelta(hours=1)
"""How often the template's schedule looks at how everything stands."""

_NIGHT = time(2, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Billed:
    """A line of the bill once all is full, and what it is in the first month. `thing` is what it is for,
    `way` how that is protected, `place` where the backups stand. `transfer`: it pays for moving data, and not
    for keeping it."""

    thing: str
    way: str
    place: str
    line: CostLine
    first_month_usd: Decimal
    transfer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The whole bill. `own` is what Holdfast itself costs; it is in no other sum."""

    question: Question
    plan: Plan | None
    prices: Prices
    billed: Sequence[Billed]
    own: Sequence[CostLine]
    notes: Sequence[str]

    @property
    def total_usd(self) -> Decimal:
        return sum((one.line.monthly_usd for one in self.billed), ZERO)

    @property
    def first_month_usd(self) -> Decimal:
        return sum((one.first_month_usd for one in self.billed), ZERO)

    @property
    def transfer_usd(self) -> Decimal:
        return sum((one.line.monthly_usd for one in self.billed if one.transfer), ZERO)

    @property
    def own_usd(self) -> Decimal:
        return sum((one.monthly_usd for one in self.own), ZERO)


def answer(question: Question, plan: Plan | None, prices: Prices) -> Answer:
    """Raises `QuestionError` where the plan does not fit what is asked."""
    _check(question, plan)
    region = question.region or prices.region
    billed: list[Billed] = []
    notes: list[str] = []
    for thing in question.resources:
        for way in thing.protect:
            if way != "plan":
                billed.append(_standing(thing, way, region, prices))
            elif plan is not None:
                case = _Case(thing=thing, plan=plan, question=question, prices=prices)
                billed += case.backups(region)
                notes += case.notes()
    planned = sum(thing.count for thing in question.resources if "plan" in thing.protect)
    own = _own(planned, plan, question, prices) if plan is not None and planned else []
    return Answer(question=question, plan=plan, prices=prices, billed=billed, own=own, notes=notes)


def _check(question: Question, plan: Plan | None) -> None:
    mistakes = []
    for number, thing in enumerate(question.resources):
        if "plan" not in thing.protect:
            continue
        if plan is None:
            mistakes.append(
                f"resources[{number}].protect: plan, and there is none; give one in the document's plan or "
                "with --plan, or other ways to protect it"
            )
        elif thing.kind not in plan.select.types:
            mistakes.append(
                f"resources[{number}].protect: plan, and the plan {plan.name} leaves out {thing.kind}; its "
                f"select.types are {', '.join(sorted(plan.select.types))}"
            )
    if mistakes:
        raise QuestionError("the question", mistakes)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """Protection that does not renew itself by a plan: as many GB as the data has."""

    words: str
    price: str
    unit: str
    rule: str
    basis: Basis = Basis.KNOWN
    transfer: bool = False


_SNAPSHOT_PRICES: Mapping[str, str] = {
    "rds": "rds_snapshot_gb_month",
    "aurora": "aurora_snapshot_gb_month",
    "ebs": "ebs_snapshot_gb_month",
}
_WAYS: Mapping[str, _Way] = {
    "pitr": _Way(
        words="point-in-time recovery",
        price="dynamodb_pitr_gb_month",
        unit="GB-month",
        rule="the table's size, however far back it reaches",
    ),
    "aws_backup": _Way(
        words="AWS Backup",
        price="aws_backup_gb_month",
        unit="GB-month",
        rule="one recovery point in a vault, counted whole, in warm storage",
        basis=Basis.ESTIMATED,
    ),
    "s3_versioning": _Way(
        words="versioning",
        price="s3_standard_gb_month",
        unit="GB-month",
        rule="older versions hold as much as the data itself, in S3 Standard",
        basis=Basis.ESTIMATED,
    ),
    "s3_replication": _Way(
        words="replication",
        price="transfer_between_regions_gb",
        unit="GB",
        rule=(
            "as much as the data holds is written, and brought over, in a month; the replica's storage is "
            "not in it"
        ),
        basis=Basis.ESTIMATED,
        transfer=True,
    ),
    "s3_replication_time_control": _Way(
        words="replication time control",
        price="s3_replication_time_control_gb",
        unit="GB",
        rule="as much as the data holds is written, and brought over, in a month",
        basis=Basis.ESTIMATED,
        transfer=True,
    ),
    "glacier": _Way(
        words="Glacier",
        price="s3_glacier_gb_month",
        unit="GB-month",
        rule="as much as the data holds lies in the archive",
        basis=Basis.ESTIMATED,
    ),
}


def _standing(thing: Thing, way: str, region: str, prices: Prices) -> Billed:
    if way == "rds_automated":
        line = CostLine(
            what="automated backups",
            amount=thing.gb,
            unit="GB-month",
            price_usd=ZERO,
            monthly_usd=ZERO,
            basis=Basis.ESTIMATED,
            rule=(
                "RDS keeps as much as the databases' own size for nothing; more days may need more than that"
            ),
        )
        return Billed(thing=thing.label, way=way, place=region, line=line, first_month_usd=ZERO)
    known = _manual(thing) if way == "manual_snapshot" else _WAYS[way]
    line = _line(known.words, thing.gb, known.unit, prices.of(known.price), known.rule, known.basis)
    return Billed(
        thing=thing.label,
        way=way,
        place=region,
        line=line,
        first_month_usd=line.monthly_usd,
        transfer=known.transfer,
    )


def _manual(thing: Thing) -> _Way:
    return _Way(
        words="a manual snapshot",
        price=_SNAPSHOT_PRICES[thing.kind],
        unit="GB-month",
        rule="one snapshot that stands, counted whole",
        basis=Basis.ESTIMATED,
    )


def _line(
    what: str, amount: Decimal, unit: str, price: Decimal, rule: str, basis: Basis = Basis.ESTIMATED
) -> CostLine:
    return CostLine(
        what=what,
        amount=amount,
        unit=unit,
        price_usd=price,
        monthly_usd=amount * price,
        basis=basis,
        rule=rule,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A thing that a plan protects, seen from the night of the prices' day, after runs since for ever."""

    thing: Thing
    plan: Plan
    question: Question
    prices: Prices

    def backups(self, region: str) -> Iterator[Billed]:
        price = self._price(is_copy=False)
        full, first = self._costs(self.plan.keep, is_copy=False)
        yield self._kept("backups", region, price, full, first)
        for rule in self._rules():
            full, first = self._costs(
                rule.keep, is_copy=True, full_every_days=rule.full_every_days, moves=not rule.account
            )
            words = "exports" if self._exports else "copies"
            yield self._kept(words, rule.place, self._price(is_copy=True), full, first)
            yield from self._moved(rule, full)

    def notes(self) -> Iterator[str]:
        """What the plan asks for, and this kind has not."""
        for rule in self.plan.copies:
            if rule in self._rules():
                continue
            why = "AWS has no copies of tables' backups in other accounts"
            if not rule.account:
                why = "its copies are exports, and the rule names no bucket"
            yield f"{self.thing.label} has no copies in {rule.place}: {why}"

    @property
    def _exports(self) -> bool:
        return self.thing.kind == "dynamodb"

    @property
    def _every(self) -> timedelta:
        return timedelta(hours=float(self.question.every_hours))

    def _rules(self) -> list[CopyRule]:
        """Those that say something to this kind."""
        return [rule for rule in self.plan.copies if not self._exports or (rule.bucket and not rule.account)]

    def _price(self, *, is_copy: bool) -> Decimal:
        if self._exports:
            return self.prices.of("s3_standard_gb_month" if is_copy else "dynamodb_backup_gb_month")
        return self.prices.of(_SNAPSHOT_PRICES[self.thing.kind])

    def _costs(
        self, keep: KeepPolicy, *, is_copy: bool, full_every_days: int = 1, moves: bool = True
    ) -> tuple[Cost, Cost]:
        """Once it is full, and after a month. A copy in another account is made of the one in its Region."""
        now = datetime.combine(self.prices.as_of, _NIGHT)
        zone = UTC if self.plan.time_zone == "UTC" else ZoneInfo(self.plan.time_zone)
        slots = steady_slots(keep, zone, now, self._every)
        change = self.thing.daily_change
        prices = self.prices if change is None else replace(self.prices, daily_change=change)

        def cost(steady: Sequence[datetime]) -> Cost:
            found = cost_of(
                kind=self.thing.kind,
                is_copy=is_copy,
                backups=(),
                steady=steady,
                every=self._every,
                prices=prices,
                resource_bytes=int(self.thing.size_gb * GIB),
                full_every_days=full_every_days,
            )
            return found if moves else replace(found, transfer_usd=ZERO)

        return cost(slots), cost([slot for slot in slots if slot > now - MONTH])

    def _kept(self, words: str, place: str, price: Decimal, full: Cost, first: Cost) -> Billed:
        count = self.thing.count
        gb = full.full_usd * count / price if price else ZERO
        line = replace(_line(words, gb, "GB-month", price, full.rule), monthly_usd=full.full_usd * count)
        return Billed(
            thing=self.thing.label,
            way="plan",
            place=place,
            line=line,
            first_month_usd=first.full_usd * count,
        )

    def _moved(self, rule: CopyRule, cost: Cost) -> Iterator[Billed]:
        """What brings new copies there."""
        transfer = self.prices.of("transfer_between_regions_gb")
        export = self.prices.of("dynamodb_export_gb") if self._exports else ZERO
        if not cost.transfer_usd:
            return
        gb = cost.transfer_usd * self.thing.count / (transfer + export)
        lines = [_line("transfer", gb, "GB", transfer, "what is new in a month")]
        first_gb = gb
        if self._exports:
            lines.insert(0, _line("exporting them", gb, "GB", export, "what is exported in a month"))
        else:  # the first copy is a whole one
            first_gb += self.thing.gb - gb * Decimal(self._every / MONTH)
        for line in lines:
            yield Billed(
                thing=self.thing.label,
                way="plan",
                place=rule.place,
                line=line,
                first_month_usd=first_gb * line.price_usd,
                transfer=True,
            )


_SWEEPS = 6
"""Of creating and copying, until all is available. Pruning, checking and reporting need one each."""

MODEL = (
    f"{_SWEEPS} sweeps of creating and copying in a run, then pruning, a check and the message; each sweep "
    "takes 2 seconds and a tenth of one for each resource, with 512 MB; an hourly check takes half as long "
    "for each"
)


def _own(resources: int, plan: Plan, question: Question, prices: Prices) -> list[CostLine]:
    """By a plain model of runs (`MODEL`), since nothing has run yet."""
    stages = 2 * _SWEEPS + 3
    run = Usage(
        invocations=stages * 2,  # each, and run_plan when it goes on
        gb_seconds=stages * (0.5 * (2 + resources / 10) + 0.25),
        calls={
            "s3.PutObject": 3 * stages,
            "s3.GetObject": 3 * stages,
            "sns.Publish": 1,
            "others": 2 * resources * stages,
        },
    )
    check = Usage(
        invocations=1,
        gb_seconds=0.5 * (2 + resources / 20),
        calls={"s3.PutObject": 3, "s3.GetObject": 10, "s3.ListObjectsV2": 5, "others": resources},
    )
    every = timedelta(hours=float(question.every_hours))
    month = per_month(run, every) + per_month(check, CHECKS_EVERY)
    lines = own_cost(month, prices, Fixtures(places=1 + len(plan.copies)))
    return [replace(line, rule=MODEL) if line.rule.startswith("as metered") else line for line in lines]
