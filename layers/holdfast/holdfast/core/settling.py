"""Setting by setting: what a restored resource has in comparison with its source."""

from collections.abc import Mapping

from holdfast.core.restoring import Configuration, Fate, Json, SettingOutcome, Settings


def compare(
    source: Configuration | None, restored: Configuration, given: Settings, problems: Mapping[str, str]
) -> tuple[SettingOutcome, ...]:
    """An outcome for each setting that the source has or the request gives, in the order of their names.
    `problems` has the reasons of those that could not be brought back. One of a setting that neither names is
    told as well: a cluster without an instance can be read by nobody."""
    had: Settings = source.settings if source else {}
    unread = source.unread if source else {}
    outcomes = [
        _outcome(name, had.get(name), given.get(name, had.get(name)), name in given, restored, problems)
        for name in sorted({*had, *given})
    ]
    lost = [
        SettingOutcome(
            name=name,
            fate=Fate.NOT_POSSIBLE,
            source=None,
            restored=restored.settings.get(name),
            reason=f"the source's could not be read: {why}",
        )
        for name, why in sorted(unread.items())
        if name not in given and name not in had
    ]
    told = {one.name for one in (*outcomes, *lost)}
    besides = [
        SettingOutcome(
            name=name,
            fate=Fate.NOT_POSSIBLE,
            source=None,
            restored=restored.settings.get(name),
            reason=why,
        )
        for name, why in problems.items()
        if name not in told
    ]
    return tuple(sorted([*outcomes, *lost, *besides], key=lambda one: one.name))


def _outcome(
    name: str,
    had: Json,
    wanted: Json,
    is_given: bool,
    restored: Configuration,
    problems: Mapping[str, str],
) -> SettingOutcome:
    has = restored.settings.get(name)
    if name in restored.unread:
        fate, reason = Fate.NOT_POSSIBLE, f"what it is now could not be read: {restored.unread[name]}"
    elif name in problems and not has:
        fate, reason = Fate.NOT_POSSIBLE, problems[name]  # as empty as the source's, and should not be
    elif not (_has(has, wanted) if is_given and name != "Tags" else has == wanted):
        fate, reason = Fate.NOT_POSSIBLE, problems.get(name) or "AWS made it otherwise"
    elif is_given and wanted != had:
        fate, reason = Fate.CHANGED, "as the request says"
    else:
        fate, reason = Fate.RESTORED, ""
    return SettingOutcome(name=name, fate=fate, source=had, restored=has, reason=reason)


def _has(has: Json, wanted: Json) -> bool:
    """Whether something is as a person gave it: what the request does not say may be anything, and the order
    of names is no matter."""
    if isinstance(wanted, Mapping) and isinstance(has, Mapping):
        return all(name in has and _has(has[name], one) for name, one in wanted.items())
    if isinstance(wanted, list) and isinstance(has, list):
        if all(isinstance(one, str) for one in (*wanted, *has)):
            return sorted(map(str, wanted)) == sorted(map(str, has))
        return len(wanted) == len(has) and all(map(_has, has, wanted))
    return has == wanted
