"""What all stages share: many small acts, at the same time, none stopping another, over before time is."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from holdfast.core.errors import (
    AccessDenied,
    AlreadyExists,
    CopySlotsFull,
    CredentialsExpired,
    HoldfastError,
    KeyUnusable,
    NoAnswer,
    NotFound,
    NotReady,
    OutOfReach,
    ProviderError,
    QuotaReached,
    Throttled,
    Unprepared,
)
from holdfast.core.model import Plan, Request, Resource
from holdfast.core.report import Action, Outcome, Report, Stage, State
from holdfast.ports import Deadline, Provider, ResourceQuery

STOP_BEFORE_SECONDS = 60.0
"""No act is begun with less time left: one attempt of its first call, and the record, still fit in it. What
an act would have to send later than that is not sent (`adapters/patience.py`)."""

WORKERS = 8
"""Acts at the same time. With 160 ms a call this reaches DynamoDB's 50 backups a second; the pace of the
adapters, not this number, keeps below what AWS allows."""

SKEW = timedelta(hours=1)
"""No backup is made before its slot, but AWS dates it by a clock of its own: those of a slot are looked for
from so much earlier on."""

OUT_OF_TIME = "not begun, since the function's time was nearly over: a later sweep goes on"


def nothing_to_do(stage: Stage, plan: Plan, request: Request) -> Report:
    """The report of a stage that is none of a vault's plan's concern."""
    return Report(
        stage=stage,
        plan=plan.name,
        slot=request.slot,
        dry_run=request.dry_run,
        vault_of=plan.vault_of,
        run=request.run,
    )


def listed(provider: Provider, plan: Plan) -> Sequence[Resource]:
    """Of a kind, what `core.planning.select` chooses a plan's resources from."""
    return provider.resources(ResourceQuery(tags=plan.select.tags, everything=bool(plan.select.include)))


def sweep[Step, Told](
    steps: Sequence[Step],
    act: Callable[[Step], Told],
    instead: Callable[[Step, State, str], Told],
    deadline: Deadline,
    workers: int = WORKERS,
) -> list[Told]:
    """What became of each step, in their order: of the act, or `instead` when it failed or came too late.

    With one worker each act begins when the one before it is over.
    """

    def one(step: Step) -> Told:
        if deadline() < STOP_BEFORE_SECONDS:
            return instead(step, State.PENDING, OUT_OF_TIME)
        try:
            return act(step)
        except ProviderError as error:
            return instead(step, *state_of(error))
        except HoldfastError as error:
            return instead(step, State.FAILED, str(error))
        except Exception as error:  # noqa: BLE001  one resource's surprise must not cost the others theirs
            return instead(step, State.FAILED, f"unexpected {type(error).__name__}: {error}")

    if not steps:
        return []
    with ThreadPoolExecutor(max_workers=min(workers, len(steps))) as pool:
        return list(pool.map(one, steps))


def state_of(error: ProviderError) -> tuple[State, str]:
    """What an error means for the resource, and what a person can do about it."""
    match error:
        case CopySlotsFull():
            return State.DEFERRED, f"no copy slot is free: a later sweep tries again ({error})"
        case Throttled():
            return State.DEFERRED, f"AWS took no more at that moment: a later sweep tries again ({error})"
        case NoAnswer():
            return State.PENDING, f"no clear answer: a later sweep looks what became of it ({error})"
        case NotReady():
            return State.PENDING, f"busy: a later sweep tries again ({error})"
        case CredentialsExpired():
            return State.PENDING, f"the credentials had expired: the next sweep has new ones ({error})"
        case NotFound():
            return State.SKIPPED, f"gone since it was listed ({error})"
        case _:
            return State.FAILED, _what_to_do(error)


def _what_to_do(error: ProviderError) -> str:
    match error:
        case QuotaReached():
            return f"the account's quota is reached: raise it, or prune ({error})"
        case KeyUnusable():
            return (
                "AWS cannot use the KMS key: it has to exist and be enabled, and its policy and the role of "
                f"the function both have to allow it ({error})"
            )
        case Unprepared():
            return error.message
        case OutOfReach():
            return (
                "AWS cannot give the state of that instant, which lies before what it has kept since; the "
                f"next slot will do ({error})"
            )
        case AccessDenied():
            return f"not permitted: see the function's role and the key's policy ({error})"
        case _:
            return str(error)


def always() -> bool:
    """The turn of those that need none."""
    return True


def name_taken(error: AlreadyExists) -> str:
    """The reason when the name that a backup should have is that of something else."""
    return (
        "a snapshot of that name stands already, with other tags than Holdfast gives, or with none: "
        f"look before you touch it, since it may be a good backup. The next slot has another name ({error})"
    )


def unlisted(action: Action, kind: str, place: str, error: ProviderError) -> Outcome:
    """The outcome of everything of a kind that could not even be listed."""
    state, reason = state_of(error)
    return Outcome(
        action=action,
        state=State.FAILED if state is State.SKIPPED else state,
        kind=kind,
        resource="",
        region=place,
        reason=f"could not be listed: {reason}",
    )
