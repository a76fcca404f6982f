"""What the use cases need of the outside. Adapters implement these; the tests' fakes do too.

Every method that talks to AWS raises `core.errors.ProviderError` or one of its subclasses, and nothing
else. A method that lists returns everything or raises: a listing that broke off half way is no listing,
so that no decision can be taken on one.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from holdfast.core.asking import Login
from holdfast.core.checks import Check
from holdfast.core.cost import Prices
from holdfast.core.drilling import Drilling, Leftover
from holdfast.core.holds import Hold
from holdfast.core.items import Item, KeyPart, Page, Table, Written
from holdfast.core.model import Backup, CopyLaws, CopySettings, Mark, Plan, Resource, Retention
from holdfast.core.posture import Drill, Posture
from holdfast.core.recorded import Inventory
from holdfast.core.recovery import Recovery, RecoveryRequest
from holdfast.core.report import Report, Stage
from holdfast.core.restoring import (
    Configuration,
    Filled,
    Found,
    Pick,
    Piece,
    Restore,
    Settings,
    Settled,
    Target,
    Wanted,
    Window,
)
from holdfast.core.returning import Return, ReturnRequest
from holdfast.core.told import Told
from holdfast.core.verifying import Question, Verdict

type Deadline = Callable[[], float]
"""Seconds left before this work must be over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceQuery:
    """Which resources a provider lists: those that bear all of `tags`, or `everything` of its kind."""

    tags: Mapping[str, str] = field(default_factory=dict)
    everything: bool = False


class Provider(Protocol):
    """One kind of resource and its backups, in every Region that the stack works in."""

    @property
    def kind(self) -> str:
        """The word for this kind in plans, messages and `Resource.kind`."""

    def resources(self, query: ResourceQuery) -> Sequence[Resource]:
        """The resources of this kind in the home Region."""

    def backups(self, place: str, source: str = "", since: datetime | None = None) -> Sequence[Backup]:
        """The backups that people and tools made by hand or by API (no automated ones, none of AWS
        Backup's) which stand in `place` (`core.model.place_of`): of all resources, or of the one whose ARN
        is `source`.

        Ours and others' alike; only ours have a mark. Those made before `since` are of no interest, and
        left out where that saves calls.
        """

    def create(self, resource: Resource, mark: Mark) -> Backup:
        """Start a backup of the resource, named and tagged by `mark` in the same call.

        Raises `AlreadyExists` when the name is taken, where the service has unique names.
        """

    def delete(self, backup: Backup) -> None:
        """Delete one backup. Raises `NotFound` when it is gone already."""


class Grouper(Protocol):
    """A kind whose resources can be backed up together, at one instant."""

    def create_together(self, resources: Sequence[Resource], marks: Sequence[Mark]) -> Sequence[Backup]:
        """Start a backup of each of the resources, which are of one `group`, by one call: all or none.
        `marks` are theirs, in the same order, as are the backups."""


class Copier(Protocol):
    """A kind whose backups can be brought to another Region, or to another account."""

    @property
    def laws(self) -> CopyLaws:
        """What AWS lets one do with this kind's backups."""

    def copy(self, backup: Backup, place: str, mark: Mark, settings: CopySettings) -> Backup:
        """Start a copy of an available backup in `place`, named and tagged by `mark` (whose `copy_of` is
        set), with the backup's own tags carried over. To another account the backup is shared first; it has
        to stand in the Region of `place` then.

        Raises `AlreadyExists` where names are unique and this one is taken; `CopySlotsFull` when the place
        takes no more copies now, `QuotaReached` when the account may have no more backups there;
        `KeyUnusable` and `Unprepared` when a person has to act first; `OutOfReach` when it is too late for
        this one.
        """


class Restorer(Protocol):
    """A kind of which a backup, or point-in-time recovery, can be made a new resource again. Nothing here
    changes a resource that bears no `core.restoring.RESTORE_TAG`, or deletes one."""

    @property
    def kind(self) -> str: ...

    def mistakes(self, given: Settings) -> Sequence[str]:
        """What is wrong with the settings of a request, each as `settings.Name: … give …`."""

    def configuration(self, arn: str) -> Configuration | None:
        """The settings of a resource as it stands, by AWS's own names; `None` when it is gone. A setting that
        it does not have is not in them, and what cannot be read does not hide the others."""

    def window(self, arn: str) -> Window | None:
        """What point-in-time recovery has of it; `None` when it is off, or the resource gone."""

    def look(self, target: Target) -> Found | None:
        """What stands under the target's name; `None` when nothing does."""

    def begin(self, pick: Pick, target: Target, wanted: Wanted) -> None:
        """Start making it. Raises `AlreadyExists` when the name is taken, and `Unprepared` when a person has
        to act first."""

    def fill(self, pick: Pick, target: Target, filled: Filled, deadline: Deadline) -> Filled:
        """Put the changes of an export's increments on top, as far as there is time for: all are there when
        `done` is `total`. Of anything else there are none."""

    def settle(self, target: Target, found: Found, wanted: Wanted) -> Settled:
        """Bring back what AWS did not: safe to repeat, and never more than `found`, which is ready."""


class RestoreStore(Protocol):
    """Where restores are kept, by the ids of their requests."""

    def load(self, request: str) -> Restore | None:
        """Raises `ProviderError` when there is one that cannot be read."""

    def begin(self, restore: Restore) -> Restore:
        """Keep it, unless one of its request is kept; the one that is kept now."""

    def save(self, restore: Restore) -> None:
        """Keep it in the place of what was kept of its request."""

    def address(self, request: str) -> str:
        """Where that is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """What a drill has restored, and of what: `pieces` are the backup's, `sample` and `most_missing_share`
    the plan's (`core.model.DrillRule`)."""

    drill: str
    source: str
    arn: str
    region: str
    pieces: Sequence[Piece]
    sample: int
    most_missing_share: float


class Rehearser(Protocol):
    """A kind whose restores can be rehearsed. Nothing here removes what does not bear the drill's tag."""

    @property
    def kind(self) -> str: ...

    def given(self, known: Settings, tags: Mapping[str, str]) -> Settings:
        """What a drill's restore must have otherwise than its source: these tags in the place of its own, no
        protection from deletion, nothing that reaches others."""

    def checks(self, rehearsed: Rehearsed) -> Sequence[Check]:
        """What is found of the data in what was restored."""

    def question(self, rehearsed: Rehearsed) -> Question | None:
        """What a verifier is to be asked about it; `None` where there is nothing to be asked by SQL."""

    def remove(self, found: Found, target: Target, drill: str) -> None:
        """Begin to remove what this drill's restore made. Safe to repeat until nothing of it stands. Raises
        `NotReady` when it is too early, and `AlreadyExists` when it is not the drill's."""

    def leftovers(self, region: str) -> Sequence[Leftover]:
        """All in a Region that drills made, by tag or by name."""

    def remove_leftover(self, left: Leftover) -> bool:
        """Begin to remove it; whether it is gone already."""


class DrillStore(Protocol):
    """Where drills are kept: those at work by their ids, and what came of each rehearsal for ever."""

    def load(self, drill: str) -> Drilling | None:
        """Raises `ProviderError` when there is one that cannot be read."""

    def begin(self, drilling: Drilling) -> Drilling:
        """Keep it, unless one of its id is kept; the one that is kept now."""

    def save(self, drilling: Drilling) -> None: ...

    def record(self, drill: Drill, digest: str) -> None:
        """Keep what came of a rehearsal, for the page and for whoever asks in a year. `digest` stands for its
        resource and place."""

    def last(self, plan: str, since: datetime) -> Mapping[str, datetime]:
        """When a plan's rehearsals of each digest came to their end last, from then on."""

    def address(self, drill: str) -> str:
        """Where the whole of a drill is."""


class Verifier(Protocol):
    """Who can ask a database by SQL whether it is what it should be."""

    def verify(self, question: Question) -> Verdict:
        """Raises `ProviderError` when it could not be asked."""


class Secret(Protocol):
    """What only the reference verifier may read."""

    def read(self) -> str: ...


class Database(Protocol):
    """A database that is asked, and not changed. `tables_sql` counts the tables that are not the server's
    own; `greeting` and `version` are what it told when it was reached."""

    @property
    def tables_sql(self) -> str: ...

    @property
    def greeting(self) -> str: ...

    @property
    def version(self) -> str: ...

    def rows(self, sql: str, slot: datetime | None) -> Sequence[Sequence[object]]:
        """What a statement answers, in whose place of `:slot` the slot stands. Raises `DatabaseRefused`, also
        when it would write, or takes too long."""

    def close(self) -> None: ...


class Databases(Protocol):
    """The way to a restored database."""

    def connect(self, question: Question, login: Login) -> AbstractContextManager[Database]:
        """Raises `DatabaseRefused` when it cannot be reached, or lets nobody in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyPorts:
    """What the reference verifier needs. `queries` is the text of the variable VERIFIER_QUERIES."""

    secret: Secret
    databases: Databases
    queries: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What became of what was to be stored in more than one place: the `address` of the first that has it
    (empty when none has), and a problem for each that has not, as a sentence. `may_pass`: of one of these
    places it may be by itself that another time it can be written."""

    address: str
    problems: tuple[str, ...] = ()
    may_pass: bool = False


class SettingsStore(Protocol):
    """Where the settings of a plan's resources are recorded, by slot."""

    def save(self, inventory: Inventory) -> Saved:
        """Store it as that of its plan and slot, wherever there is a place for it. Never raises."""

    def load(self, plan: str, slot: datetime) -> Inventory | None:
        """What is recorded for just that slot."""

    def newest(self, plan: str, until: datetime) -> Inventory | None:
        """That of the newest slot at or before an instant. What it lacks, where it is not whole, is that of
        the slots before. `None` when nothing is recorded."""

    def find(self, plan: str, arn: str, slot: datetime) -> Configuration | None:
        """The settings of a resource as recorded for the slot, else for the newest one before it, else for
        the oldest one after it; `None` when none has it."""


class Tables(Protocol):
    """Tables and their items. What one item alone is refused for is told (`Written`), and not raised."""

    def table(self, arn: str) -> Table | None:
        """`None` when there is none."""

    def expiry(self, arn: str) -> str:
        """The attribute that time to live goes by; empty when it is off."""

    def page(self, arn: str, after: Item | None, most: int) -> Page:
        """The items behind that key, in the table's own order: `most` at most, and fewer where they are
        large."""

    def find(self, arn: str, keys: Sequence[Item]) -> Page:
        """Of at most 100 items those that are there, in whatever order."""

    def put(self, arn: str, item: Item, was: Item | None, keys: Sequence[KeyPart]) -> Written:
        """Write an item where there is none of its key, or in the place of `was`. Whatever else is there by
        now stays."""


class ReturnStore(Protocol):
    """Where returns of lost items are kept, by the ids of their requests; those of dry runs apart."""

    def load(self, request: ReturnRequest) -> tuple[Return | None, str]:
        """What is kept under the request's id, and the mark of that writing. Raises `ProviderError` when it
        cannot be read."""

    def save(self, kept: Return, mark: str) -> str:
        """Keep it in the place of what has that mark; the new mark. An empty one: in the place of nothing.
        Raises a retryable `ProviderError` when something else is kept by now."""

    def address(self, request: ReturnRequest) -> str:
        """Where that is."""


class RecoveryStore(Protocol):
    """Where recoveries are kept, by the ids of their requests; those of dry runs apart."""

    def load(self, request: RecoveryRequest) -> Recovery | None:
        """What is kept under the request's id. Raises `ProviderError` when it cannot be read."""

    def begin(self, recovery: Recovery) -> Recovery:
        """Keep it, unless one of its request's id is kept; the one that is kept now."""

    def save(self, recovery: Recovery) -> None:
        """Keep it in the place of what was kept of its request."""

    def address(self, request: RecoveryRequest) -> str:
        """Where that is."""


class Quotas(Protocol):
    """How much the account may have."""

    def most(self, kind: str, place: str, standing: int | None = None) -> int | None:
        """How many backups of a kind may stand in a place that people and tools made; `None` where there is
        no such quota. Never raises: where AWS does not tell, it is what AWS gives each account.

        `standing` is how many do. As long as they are few for every account, AWS is not asked.
        """


class HoldList(Protocol):
    """Where people keep the holds of backups that cannot carry a tag."""

    @property
    def place(self) -> str:
        """Where that is, in words: `in the SSM parameter /holdfast/holds`."""

    def read(self) -> Sequence[Hold]:
        """The holds as they are this moment. Raises `HoldListError` when they cannot be understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPlan:
    """A plan as it is kept, or the `problem` with it; and when it was last changed."""

    name: str
    plan: Plan | None
    problem: str = ""
    changed: datetime | None = None


class PlanStore(Protocol):
    """Where plans are kept."""

    def get(self, name: str) -> Plan:
        """Raises `PlanError` when there is no such plan or it cannot be used."""

    def everyone(self) -> Sequence[StoredPlan]:
        """All plans, by name, those that cannot be used among them."""


class RecordStore(Protocol):
    """Where the stages' reports are kept, whole."""

    def save(self, report: Report) -> str:
        """Store the report as the record of its plan, slot and stage, with what an earlier one tells that
        stays true (`core.report.carry_over`). Returns its address."""

    def address(self, plan: str, slot: datetime, stage: Stage) -> str:
        """Where the record of a stage is, or will be."""

    def load(self, plan: str, slot: datetime, stage: Stage) -> Report | None:
        """The record of a stage, or `None` when it left none."""

    def slots(self, plan: str, since: datetime) -> Sequence[datetime]:
        """The slots of a plan from `since` on that any stage left a record of, in order."""

    def told(self, plan: str) -> Mapping[str, Told]:
        """What the messages tell that the plan keeps, by kind of resource."""

    def tell(self, plan: str, slot: datetime, foretold: Mapping[str, Retention]) -> None:
        """Note that the message of the slot told of these retentions (`core.told.told_now`)."""


class PostureStore(Protocol):
    """Where postures are kept, without their timelines."""

    def save(self, posture: Posture) -> str:
        """Store the posture as that of its instant, unless there is one. Returns its address."""

    def load(self, since: datetime, until: datetime) -> Posture | None:
        """The newest posture of that time, both ends included; `None` when there is none."""

    def drills(self, since: datetime) -> Sequence[Drill]:
        """The rehearsed restores from then on, the newest first."""


class PageStore(Protocol):
    """Where the page is that people look at."""

    @property
    def address(self) -> str:
        """Where that is: `s3://bucket/page/index.html`."""

    def write(self, posture: Posture) -> None:
        """Put the page of this posture in the place of the one before."""


class PriceList(Protocol):
    """What AWS's services cost, as this deployment believes."""

    def read(self) -> tuple[Prices, str]:
        """The prices, and what is wrong with those that a person gave, which are not used then; empty when
        nothing is. Never raises."""


class Turns(Protocol):
    """Who may do now what only one may do at a time."""

    def taken(self, name: str) -> AbstractContextManager[Callable[[], bool]]:
        """Have the turn while inside. Gives a question to ask before each act: is the turn ours? It is not
        when somebody else had it first, or when it could not be kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message for people (`subject`, `text`) and machines (`data`), with attributes to filter by. `chat`
    is what Amazon Q Developer shows of it in a chat channel."""

    subject: str
    text: str
    data: str
    chat: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


class Notifier(Protocol):
    """How people are told."""

    def publish(self, message: Message) -> None: ...


class Chat(Protocol):
    """How a chat channel is told."""

    def tell(self, message: Message) -> None: ...


class Steps(Protocol):
    """What a durable function can do. Each result is remembered, and not asked for again when it resumes."""

    def step(self, name: str, work: Callable[[], dict[str, object]]) -> dict[str, object]:
        """Do something small in place. `work` may run again after a crash, and should not raise."""

    def wait(self, seconds: int) -> None:
        """Let time pass without being billed for it."""


class RunContext(Steps, Protocol):
    """What a run can do besides."""

    def invoke(self, stage: Stage, payload: Mapping[str, object]) -> dict[str, object]:
        """Run a stage's function to its end; its summary. Raises `StageCrashed` when it raised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePorts:
    """What creating needs. All mappings are by kind of resource."""

    providers: Mapping[str, Provider]
    groupers: Mapping[str, Grouper]
    turns: Turns
    quotas: Quotas


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyPorts:
    """What copying needs."""

    providers: Mapping[str, Provider]
    copiers: Mapping[str, Copier]
    records: RecordStore
    turns: Turns
    quotas: Quotas


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunePorts:
    """What pruning needs."""

    providers: Mapping[str, Provider]
    copiers: Mapping[str, Copier]
    hold_lists: Mapping[str, HoldList]
    records: RecordStore
    quotas: Quotas


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePorts:
    """What restoring needs. Both mappings are by kind of resource."""

    providers: Mapping[str, Provider]
    restorers: Mapping[str, Restorer]
    restores: RestoreStore
    recorded: SettingsStore


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoverPorts:
    """What recovering a Region needs."""

    restore: RestorePorts
    settings: SettingsStore
    recoveries: RecoveryStore


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPorts:
    """What recording settings needs. Both mappings are by kind of resource, and nothing is changed there."""

    providers: Mapping[str, Provider]
    restorers: Mapping[str, Restorer]
    settings: SettingsStore


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillPorts:
    """What drilling needs. The mappings are by kind of resource; `verifier` is `None` where there is none."""

    restore: RestorePorts
    copiers: Mapping[str, Copier]
    rehearsers: Mapping[str, Rehearser]
    plans: PlanStore
    drills: DrillStore
    prices: PriceList
    verifier: Verifier | None
    places: Sequence[str]
    """Where drills may have left something behind: all Regions that the stack works in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnPorts:
    """What returning lost items needs."""

    tables: Tables
    restores: RestoreStore
    returns: ReturnStore


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPorts:
    """What looking at how everything stands needs. Nothing of it can change a backup."""

    providers: Mapping[str, Provider]
    copiers: Mapping[str, Copier]
    hold_lists: Mapping[str, HoldList]
    plans: PlanStore
    records: RecordStore
    postures: PostureStore
    page: PageStore
    prices: PriceList
    quotas: Quotas
