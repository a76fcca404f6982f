"""Tables of items in memory, and every way in which AWS answers or does not when items are returned."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from holdfast.core.errors import NoAnswer, ProviderError
from holdfast.core.items import Fate, Item, KeyPart, Page, Table, Written, identity, is_same, key_of
from holdfast.core.restoring import Restore, RestoreRequest, RestoreState
from holdfast.core.returning import Return, ReturnRequest, return_from_dict, return_to_dict
from holdfast.ports import Deadline, ReturnPorts
from holdfast.usecases.return_items import return_items
from tests.builders import NIGHT, TABLE

RESTORED = TABLE + "-restored"
ASKED = NIGHT + timedelta(hours=13)
RESTORE = "worst-day"
KEYS = (KeyPart(name="id", role="HASH", type="S"),)

type Fault = Callable[[], ProviderError]


class Killed(BaseException):
    """The function ended there."""


def an_item(id_: str, **more: str) -> Item:
    return {"id": {"S": id_}, **{name: {"S": value} for name, value in more.items()}}


def some_items(*ids: str) -> list[Item]:
    return [an_item(id_, what=f"of {id_}") for id_ in ids]


@dataclass
class Stored:
    """A table that stands, with its items in their order."""

    table: Table
    items: list[Item] = field(default_factory=list)
    expiry: str = ""

    def find(self, key: Item) -> Item | None:
        mine = (one for one in self.items if identity(key_of(one, self.table.keys)) == identity(key))
        return next(mine, None)

    def put(self, item: Item) -> None:
        there = self.find(key_of(item, self.table.keys))
        if there is None:
            self.items.append(item)
        else:
            self.items[self.items.index(there)] = item


@dataclass
class FakeTables:
    """The port `Tables`. `meanwhile` happens before the first write of a key; `refused` are the keys of items
    that DynamoDB does not take."""

    stored: dict[str, Stored]
    page_size: int = 3
    calls: list[str] = field(default_factory=list)
    puts: list[Item] = field(default_factory=list)
    meanwhile: dict[str, Callable[[], None]] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    faults: dict[str, Fault] = field(default_factory=dict)
    at_call: tuple[int, Fault | type[Killed], bool] | None = None
    """The so-manieth call of all, those of the record among them, ends with that: before its effect, or
    (`True`) after it."""

    def call[T](self, name: str, effect: Callable[[], T]) -> T:
        self.calls.append(name)
        number, fault, after = self.at_call or (0, None, False)
        if fault is not None and number == len(self.calls):
            if after:
                effect()
            raise fault()
        if name in self.faults:
            error = self.faults[name]()
            raise error
        return effect()

    def table(self, arn: str) -> Table | None:
        stored = self.stored.get(arn)
        return self.call("table", lambda: stored.table if stored else None)

    def expiry(self, arn: str) -> str:
        return self.call("expiry", lambda: self.stored[arn].expiry)

    def page(self, arn: str, after: Item | None, most: int) -> Page:
        def read() -> Page:
            stored, size = self.stored[arn], min(most, self.page_size)
            keys = [identity(key_of(one, stored.table.keys)) for one in stored.items]
            first = keys.index(identity(after)) + 1 if after else 0
            items = stored.items[first : first + size]
            more = first + size < len(stored.items)
            return Page(
                items=items, after=key_of(items[-1], stored.table.keys) if more else None, units=len(items)
            )

        return self.call("page", read)

    def find(self, arn: str, keys: Sequence[Item]) -> Page:
        def found() -> Page:
            assert len(keys) <= 100
            there = [self.stored[arn].find(key) for key in keys]
            return Page(items=[one for one in reversed(there) if one is not None], units=len(keys))

        return self.call("find", found)

    def put(self, arn: str, item: Item, was: Item | None, keys: Sequence[KeyPart]) -> Written:
        def written() -> Written:
            name = item[keys[0].name]["S"]
            self.meanwhile.pop(name, lambda: None)()
            if name in self.refused:
                return Written(fate=Fate.FAILED, reason="ValidationException: it is too large")
            stored = self.stored[arn]
            there = stored.find(key_of(item, keys))
            if (there is None) != (was is None) or (there and was and not is_same(there, was)):
                same = there is not None and is_same(there, item)
                return Written(fate=Fate.DONE if same else Fate.MEANWHILE)
            self.puts.append(item)
            stored.put(item)
            return Written(fate=Fate.DONE, units=1.0)

        return self.call("put", written)


class FakeReturns:
    """The port `ReturnStore`: documents, as S3 keeps them."""

    def __init__(self, tables: FakeTables) -> None:
        self.kept: dict[tuple[str, bool], tuple[dict[str, Any], str]] = {}
        self._tables = tables
        self._written = 0

    def load(self, request: ReturnRequest) -> tuple[Return | None, str]:
        def loaded() -> tuple[Return | None, str]:
            document, mark = self.kept.get((request.id, request.dry_run), (None, ""))
            return (return_from_dict(document) if document else None), mark

        return self._tables.call("load", loaded)

    def save(self, kept: Return, mark: str) -> str:
        def saved() -> str:
            key = (kept.request.id, kept.request.dry_run)
            if self.kept.get(key, (None, ""))[1] != mark:
                raise unheard()
            self._written += 1
            self.kept[key] = (return_to_dict(kept), f"mark-{self._written}")
            return f"mark-{self._written}"

        return self._tables.call("save", saved)

    def address(self, request: ReturnRequest) -> str:
        return f"s3://reports/returns/{request.id}.json"


@dataclass
class FakeRestores:
    """Of the port `RestoreStore` what a return asks."""

    kept: dict[str, Restore] = field(default_factory=dict)

    def load(self, request: str) -> Restore | None:
        return self.kept.get(request)

    def begin(self, restore: Restore) -> Restore:
        raise NotImplementedError

    def save(self, restore: Restore) -> None:
        raise NotImplementedError

    def address(self, request: str) -> str:
        raise NotImplementedError


def a_restore(**more: Any) -> Restore:
    """The restore that made the restored table."""
    request = RestoreRequest(id=RESTORE, resource=TABLE, region="us-east-1")
    made = Restore(request=request, state=RestoreState.DONE, reason="it stands", began=ASKED, arn=RESTORED)
    return replace(made, **more)


class ReturnWorld:
    """A table that has lost items, and the one that was restored of it."""

    def __init__(self, before: Sequence[Item], now: Sequence[Item], **more: Any) -> None:
        restored = Table(arn=RESTORED, keys=KEYS, restored_by=RESTORE)
        live = Table(arn=TABLE, keys=KEYS)
        self.tables = FakeTables(
            {RESTORED: Stored(restored, list(before)), TABLE: Stored(live, list(now))}, **more
        )
        self.returns = FakeReturns(self.tables)
        self.restores = FakeRestores({RESTORE: a_restore()})
        self.now = ASKED
        self.seconds = 900.0

    @property
    def live(self) -> Stored:
        return self.tables.stored[TABLE]

    @property
    def restored(self) -> Stored:
        return self.tables.stored[RESTORED]

    @property
    def ports(self) -> ReturnPorts:
        return ReturnPorts(tables=self.tables, restores=self.restores, returns=self.returns)

    def asks(self, **more: Any) -> ReturnRequest:
        return replace(ReturnRequest(id="return-1", source=RESTORED, target=TABLE), **more)

    def look(self, request: ReturnRequest | None = None, deadline: Deadline | None = None) -> Return:
        """One look, a minute after the one before."""
        asked = request or self.asks()
        seen = return_items(self.ports, asked, self.now, deadline or (lambda: self.seconds))
        self.now += timedelta(minutes=1)
        return seen

    def returned(self, request: ReturnRequest | None = None, most: int = 30) -> Return:
        """Look until it is over, also after a kill."""
        while True:
            most -= 1
            try:
                seen = self.look(request)
            except Killed:
                continue
            if seen.is_over or not most:
                return seen

    def items(self) -> dict[str, Item]:
        return {one["id"]["S"]: one for one in self.live.items}


def unheard() -> ProviderError:
    return NoAnswer("dynamodb", TABLE, "PutItem", "ReadTimeoutError")


def later(began: datetime, **more: float) -> dict[str, str]:
    """As a value of DynamoDB's: seconds since 1970."""
    return {"N": str(int((began + timedelta(**more)).timestamp()))}
