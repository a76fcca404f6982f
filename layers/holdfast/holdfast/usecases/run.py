"""A run: sweeps until nothing is pending or the window closes, then pruning, the settings of what is
protected, a look at how everything stands, and one message, always."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from holdfast.core.brief import cut
from holdfast.core.errors import PlanError, ProviderError, RunFailed, StageCrashed
from holdfast.core.model import Request
from holdfast.core.naming import format_slot
from holdfast.core.report import Stage, Status
from holdfast.core.run import Sweep, pause_after
from holdfast.ports import PlanStore, RunContext

_MOST_CRASHES = 3
"""Sweeps that a stage may crash in before the run goes on without it."""

_MOST_OUTCOMES = 50
"""Outcomes of a stage's answer: what a durable function keeps of a call is limited to 256 KB."""

_LONGEST_ERROR = 2000
"""Characters of what a stage's function raised, for the same reason."""

_PAUSE_BEFORE_ANOTHER_TRY = 60


@dataclass(slots=True)
class _Run:
    """One run, as far as it has come. Everything in it is derived from remembered results."""

    context: RunContext
    payload: Mapping[str, object]
    summaries: dict[Stage, dict[str, object]] = field(default_factory=dict)
    crashes: dict[Stage, str] = field(default_factory=dict)
    elapsed_seconds: float = 0.0

    def stage(self, stage: Stage) -> dict[str, object]:
        """One invocation of a stage; a crash is noted until a later sweep of the stage succeeds."""
        try:
            summary = self.context.invoke(stage, self.payload)
        except StageCrashed as error:
            self.crashes[stage] = cut(str(error), _LONGEST_ERROR)
            return {"unfinished": True, "crashed": True}
        self.crashes.pop(stage, None)
        self.summaries[stage] = summary
        self.elapsed_seconds += _number(summary.get("seconds"))
        return summary

    def sweep(self, stages: tuple[Stage, ...], window_seconds: float) -> None:
        """Invoke the stages, in order, again and again while one of them is unfinished.

        A stage that has finished is not invoked again, unless one before it was: a backup that becomes
        available has a copy to be made.
        """
        number, crashed = 1, 0
        due = list(stages)
        while True:
            results = [(stage, self.stage(stage)) for stage in due]
            crashed += any(result.get("crashed") for _, result in results)
            first = next((i for i, (_, result) in enumerate(results) if _goes_on(result, crashed)), None)
            state = Sweep(number=number, unfinished=first is not None, elapsed_seconds=self.elapsed_seconds)
            pause = pause_after(state, window_seconds)
            if first is None or not pause:
                return
            self.context.wait(pause)
            self.elapsed_seconds += pause
            due = due[first:]
            number += 1


def run_plan(context: RunContext, plans: PlanStore, request: Request) -> dict[str, object]:
    """Run a plan for a slot; the summary of its report. Raises `RunFailed`, after the report went out,
    when the report's status is not `ok`: a run with something missing ends as failed."""
    payload = {
        "plan": request.plan,
        "slot": format_slot(request.slot),
        "dry_run": request.dry_run,
        "most": _MOST_OUTCOMES,
        "run": request.run,
    }
    run = _Run(context=context, payload=payload)
    window = _window(context, plans, request.plan)
    problems = [str(window["problem"])] if "problem" in window else []
    if not problems:
        window_seconds = 0.0 if request.dry_run else _number(window.get("seconds"))
        run.sweep((Stage.CREATE, Stage.COPY), window_seconds)
        if Stage.CREATE in run.crashes:
            problems.append("prune_backups was not run, since create_backups did not finish its work")
        else:
            run.sweep((Stage.PRUNE,), window_seconds)
        if not request.dry_run:
            run.sweep((Stage.SETTINGS,), window_seconds)
    glance = {} if request.dry_run else _check(context, request)
    problems += [f"{_function(stage)} could not do its work: {why}" for stage, why in run.crashes.items()]
    problems += _sentences(run.summaries.get(Stage.SETTINGS, {}).get("problems"))
    if request.dry_run:
        return {**payload, "problems": problems, "stages": {str(k): v for k, v in run.summaries.items()}}
    summary = _publish(context, {**payload, "problems": problems, **glance})
    if summary.get("status") != Status.OK:
        raise RunFailed(str(summary.get("subject")))
    return summary


def _check(context: RunContext, request: Request) -> dict[str, object]:
    """What the message is to say of how everything stands now, or why that could not be looked at."""
    payload: dict[str, object] = {"plan": request.plan, "slot": format_slot(request.slot), "run": request.run}
    if request.at:
        payload["at"] = format_slot(request.at)
    try:
        answer = context.invoke(Stage.CHECK, payload)
    except StageCrashed as error:
        return {"unchecked": cut(str(error), _LONGEST_ERROR)}
    return {"posture": answer.get("posture")}


def _window(context: RunContext, plans: PlanStore, plan: str) -> dict[str, object]:
    """The plan's window. What may pass by itself is tried again before the night goes without backups."""
    for _ in range(_MOST_CRASHES - 1):
        window = context.step("window", lambda: read_window(plans, plan))
        if not window.get("may_pass"):
            return window
        context.wait(_PAUSE_BEFORE_ANOTHER_TRY)
    return context.step("window", lambda: read_window(plans, plan))


def _publish(context: RunContext, payload: Mapping[str, object]) -> dict[str, object]:
    """Let the report go out, which is safe to ask for again. Raises `StageCrashed` when it never did."""
    for _ in range(_MOST_CRASHES - 1):
        try:
            return context.invoke(Stage.REPORT, payload)
        except StageCrashed:
            context.wait(_PAUSE_BEFORE_ANOTHER_TRY)
    return context.invoke(Stage.REPORT, payload)


def read_window(plans: PlanStore, plan: str) -> dict[str, object]:
    """The plan's window in seconds; or the problem with the plan as a sentence, and whether it may pass."""
    try:
        return {"seconds": plans.get(plan).window_minutes * 60}
    except PlanError as error:
        return {"problem": str(error)}
    except ProviderError as error:
        return {"problem": str(error), "may_pass": error.retryable}


def _goes_on(result: Mapping[str, object], crashed: int) -> bool:
    if result.get("crashed"):
        return crashed < _MOST_CRASHES
    return bool(result.get("unfinished"))


def _function(stage: Stage) -> str:
    return "record_settings" if stage is Stage.SETTINGS else f"{stage}_backups"


def _sentences(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
