"""The planted bugs: one replacement of source text each."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "layers/holdfast/holdfast"

_RETENTION = "core/retention.py"
_PRUNING = "core/pruning.py"
_PLANNING = "core/planning.py"
_PRUNE = "usecases/prune.py"
_COPY = "usecases/copy.py"
_TOLD = "core/told.py"
_HOLDS = "core/holds.py"
_ASSESSING = "core/assessing.py"
_HEALTH = "core/health.py"
_COVERAGE = "core/coverage.py"
_CHECK = "usecases/check.py"
_PUBLISH = "usecases/publish.py"


@dataclass(frozen=True, slots=True)
class Mutant:
    """A bug: in `file` of the package, `old`, which stands there once, becomes `new`. `breaks` names the rule
    or the guard (by its number in docs/retention.md) that it takes out or bends."""

    name: str
    breaks: str
    file: str
    old: str
    new: str

    @property
    def path(self) -> Path:
        """Within a copy of the repository."""
        return Path(PACKAGE) / self.file

    def planted(self, source: str) -> str:
        """The source with the bug. Raises `ValueError` when the place is not there or not the only one."""
        if source.count(self.old) != 1:
            raise ValueError(
                f"{self.name}: {self.old!r} stands {source.count(self.old)} times in {self.file}"
            )
        return source.replace(self.old, self.new)


_COUNT = "count = int(getattr(policy, name))"


def _off_by_one(rule: str) -> Mutant:
    return Mutant(
        f"{rule} keeps one fewer",
        f"rule {rule}",
        _RETENTION,
        _COUNT,
        f"{_COUNT} - (name == {rule!r})",
    )


def _one_more(rule: str) -> Mutant:
    return Mutant(
        f"{rule} keeps one more",
        f"rule {rule}",
        _RETENTION,
        _COUNT,
        f"count = int(getattr(policy, name))\n        count += count > 0 and name == {rule!r}",
    )


_RULES = ("last", "hourly", "daily", "weekly", "monthly", "yearly")

_OF_THE_CHECK = (
    Mutant(
        "what could not be listed is judged by nothing",
        "posture",
        _HEALTH,
        "    if trouble:\n",
        "    if False:\n",
    ),
    Mutant(
        "an old backup is young enough", "posture", _HEALTH, "if age > scene.rpo:", "if age > 2 * scene.rpo:"
    ),
    Mutant(
        "what had a backup is new when it has none",
        "posture",
        _HEALTH,
        "if had_some or scene.memory_lost or scene.at >= due:",
        "if scene.memory_lost or scene.at >= due:",
    ),
    Mutant(
        "without a memory all is new",
        "posture",
        _HEALTH,
        "if had_some or scene.memory_lost or scene.at >= due:",
        "if had_some or scene.at >= due:",
    ),
    Mutant(
        "what is new may stay so for ever",
        "posture",
        _HEALTH,
        "if had_some or scene.memory_lost or scene.at >= due:",
        "if had_some or scene.memory_lost:",
    ),
    Mutant(
        "what could not be seen is forgotten",
        "posture",
        _HEALTH,
        "reason=reason, newest=before.newest, since=before.since)",
        "reason=reason)",
    ),
    Mutant(
        "what holds changes needs nothing below it",
        "posture",
        _ASSESSING,
        "            if slot in seen or slot not in below:\n                return False\n",
        "            if slot in seen or slot not in below:\n                return True\n",
    ),
    Mutant(
        "an unfinished backup can be restored",
        "posture",
        _ASSESSING,
        "good = [one for one in backups if is_good(one, scene.at)]",
        "good = [one for one in backups if one.state is not BackupState.FAILED]",
    ),
    Mutant(
        "a former resource's backups are today's",
        "posture",
        _ASSESSING,
        'its = [key for key in its if key[1] in ("", resource.resource_id)]',
        "its = list(its)",
    ),
    Mutant(
        "what cannot be listed protects nothing",
        "posture",
        _ASSESSING,
        "chosen = self._remembered(listed, groups)",
        "chosen = []",
    ),
    Mutant(
        "what a vault has lost is not missed",
        "posture",
        _ASSESSING,
        "        yield from self._vanished(listed, newest.keys())\n",
        "",
    ),
    Mutant(
        "a listing that failed was empty",
        "posture",
        _CHECK,
        "            trouble[place] = why\n",
        "",
    ),
    Mutant(
        "a posture that cannot be read is none",
        "posture",
        _CHECK,
        "            return None, True\n",
        "            return None, False\n",
    ),
    Mutant(
        "a plan that cannot be used protected nothing",
        "posture",
        _CHECK,
        "protections=_unseen(stored, before, why))",
        "protections=[])",
    ),
    Mutant(
        "a table without a plan is no gap",
        "coverage",
        _COVERAGE,
        'frozenset({"dynamodb", "rds", "aurora"})',
        'frozenset({"rds", "aurora"})',
    ),
    Mutant(
        "a tag that names no plan is nobody's mistake",
        "coverage",
        _COVERAGE,
        'return Gap.UNKNOWN_PLAN, f"its tag {PLAN_TAG}={named} names no plan',
        'return Gap.NO_PLAN, f"its tag {PLAN_TAG}={named} names no plan',
    ),
    Mutant(
        "a check that died is not told",
        "telling",
        _PUBLISH,
        "    if request.unchecked:\n",
        "    if False:\n",
    ),
    Mutant("the message tells of no posture", "telling", _PUBLISH, "glance=request.glance", "glance=None"),
)

MUTANTS: tuple[Mutant, ...] = (
    *_OF_THE_CHECK,
    *(_off_by_one(rule) for rule in _RULES),
    *(_one_more(rule) for rule in _RULES),
    Mutant(
        "a month without its year",
        "rule monthly",
        _RETENTION,
        "(moment.year, moment.month)",
        "moment.month",
    ),
    Mutant(
        "an hour without its date",
        "rule hourly",
        _RETENTION,
        "(moment.date(), moment.hour)",
        "moment.hour",
    ),
    Mutant(
        "an ISO week with the calendar's year",
        "rule weekly",
        _RETENTION,
        "moment.isocalendar()[:2]",
        "(moment.year, moment.isocalendar()[1])",
    ),
    Mutant(
        "weeks that begin on Sunday",
        "rule weekly",
        _RETENTION,
        "moment.isocalendar()[:2]",
        "moment.strftime('%Y %U')",
    ),
    Mutant("a day without its month", "rule daily", _RETENTION, "moment.date()),", "moment.day),"),
    Mutant(
        "periods in UTC whatever the zone",
        "rule 3: the zone",
        _RETENTION,
        "slot_of(one).astimezone(zone) for one",
        "slot_of(one).astimezone(UTC) for one",
    ),
    Mutant(
        "the oldest of a period instead of the newest",
        "rule 3: the newest",
        _RETENTION,
        "met.setdefault(period(moment, position), position)",
        "met[period(moment, position)] = position",
    ),
    Mutant(
        "the last period compared, and not all",
        "rule 3: a clock set back",
        _RETENTION,
        "        met.setdefault(period(moment, position), position)",
        "        now = period(moment, position)\n"
        "        if not met or list(met)[-1][0] != now:\n"
        "            met[(now, position)] = position",
    ),
    Mutant(
        "the age from the clock",
        "rule within",
        _RETENTION,
        "reasons = _kept_by_rules(good, policy, zone)",
        "reasons = _kept_by_rules(good, policy, zone)\n"
        "    if policy.within is not None:\n"
        "        for one in good:\n"
        "            if slot_of(one) <= policy.within.before(now):\n"
        "                reasons.pop(one.arn, None)",
    ),
    Mutant(
        "what is exactly so old is kept",
        "rule within",
        _RETENTION,
        "if slot_of(one) > limit:",
        "if slot_of(one) >= limit:",
    ),
    Mutant(
        "a month before 31 March is 3 March",
        "rule within",
        "core/spans.py",
        "days_of_month, tzinfo=UTC) + timedelta(days=1)",
        "days_of_month, tzinfo=UTC) + timedelta(days=utc.day - days_of_month)",
    ),
    Mutant(
        "the oldest is kept though the counts are used up",
        "rule oldest",
        _RETENTION,
        "0 < len(kept) < count and",
        "0 < len(kept) <= count and",
    ),
    Mutant(
        "rules that all have to agree",
        "rule 5: or",
        _RETENTION,
        'return {arn: ", ".join(words) for arn, words in reasons.items()}',
        'return {arn: ", ".join(words) for arn, words in reasons.items() if len(words) >= policy.rules}',
    ),
    Mutant(
        "a backup that is listed twice is two",
        "rule last",
        _RETENTION,
        "ordered = sorted(each_once(backups), key=_age, reverse=True)",
        "ordered = sorted(backups, key=_age, reverse=True)",
    ),
    Mutant(
        "the floor is one lower",
        "guard 1",
        _RETENTION,
        "if len(reasons) >= floor:",
        "if len(reasons) >= floor - 1:",
    ),
    Mutant(
        "no floor at all",
        "guard 1",
        _RETENTION,
        "    _raise_to_floor(reasons, good, policy.minimum)\n",
        "",
    ),
    Mutant(
        "the floor counts unfinished and future ones",
        "guard 1",
        _RETENTION,
        "_raise_to_floor(reasons, good, policy.minimum)",
        "_raise_to_floor(reasons, [one for one in ordered if one.mark], policy.minimum)",
    ),
    Mutant(
        "no second look right before the delete",
        "guard 1",
        _PRUNE,
        "        if objection:\n",
        "        if False and objection:\n",
    ),
    Mutant(
        "all deleted at once, none seeing what the other left",
        "guard 1",
        _PRUNE,
        "workers=1",
        "workers=8",
    ),
    Mutant(
        "a listing that broke off is taken for whole",
        "guard 2",
        "usecases/prune.py",
        "        return {place: self.ports.providers[kind].backups(place, source) for place in "
        "reversed(places)}",
        "        found: dict[str, Sequence[Backup]] = {}\n"
        "        for place in reversed(places):\n"
        "            try:\n"
        "                found[place] = self.ports.providers[kind].backups(place, source)\n"
        "            except ProviderError:\n"
        "                found[place] = ()\n"
        "        return found",
    ),
    Mutant(
        "backups without a mark are evidence",
        "guard 3",
        _RETENTION,
        "ordered = sorted(each_once(backups), key=_age, reverse=True)\n"
        "    good = [one for one in ordered if is_good(one, now) and not one.held]",
        "ordered = sorted(each_once(backups), key=_age, reverse=True)\n"
        "    good = [one for one in ordered if is_good(one, now) and not one.held]\n"
        "    if any(one.mark is None for one in ordered):\n"
        "        good = good[1:]",
    ),
    Mutant(
        "another stack's backups are ours",
        "guard 3",
        _PLANNING,
        "if mark.stack != home.stack:",
        "if not mark.stack:",
    ),
    Mutant(
        "another plan's backups are ours",
        "guard 3",
        _PLANNING,
        "if mark.plan != plan:",
        "if not mark.plan:",
    ),
    Mutant(
        "the backups of a stack of the same name in another Region are ours",
        "guard 3",
        _PLANNING,
        "if region_of(mark.source) != home.source_region:",
        "if not region_of(mark.source):",
    ),
    Mutant(
        "the backups of a stack of the same name in another account are ours",
        "guard 3",
        _PLANNING,
        "if home.source_account and account_of(mark.source) != home.source_account:",
        "if not account_of(mark.source):",
    ),
    Mutant(
        "of a vault's plan, what is no copy is ours",
        "guard 3",
        _PLANNING,
        "if home.vault_of and not mark.copy_of:",
        "if not mark.source:",
    ),
    Mutant(
        "what is overdue in a vault is pruned",
        "guard 7",
        _PRUNE,
        "_spared(memory.created, standing) | _overdue(missing)",
        "_spared(memory.created, standing)",
    ),
    Mutant(
        "what is listed with and without a mark is ours",
        "guard 3",
        _PRUNING,
        "listed = each_once(chain(*kind.by_place.values()))",
        "listed = chain(*kind.by_place.values())",
    ),
    Mutant(
        "an empty policy deletes",
        "guard 4",
        _RETENTION,
        "if scene.unusable:",
        "if False:",
    ),
    Mutant(
        "a negative count is no matter",
        "guard 4",
        "core/model.py",
        "if min(self.counts) < 0 or",
        "if",
    ),
    Mutant(
        "backups in the making are evidence",
        "guard 5",
        _RETENTION,
        "backup.state is BackupState.AVAILABLE and backup.mark",
        "backup.state in (BackupState.AVAILABLE, BackupState.CREATING) and backup.mark",
    ),
    Mutant(
        "failed backups are evidence",
        "guard 5",
        _RETENTION,
        "backup.state is BackupState.AVAILABLE and backup.mark",
        "backup.state in (BackupState.AVAILABLE, BackupState.FAILED) and backup.mark",
    ),
    Mutant(
        "backups of the future are evidence",
        "guard 5",
        _RETENTION,
        "backup.mark is not None and backup.mark.slot <= now",
        "backup.mark is not None",
    ),
    Mutant(
        "a failed backup goes though nothing newer stands",
        "guard 5",
        _RETENTION,
        "if scene.newest_good is not None and scene.newest_good > backup.mark.slot:",
        "if scene.newest_good is not None:",
    ),
    Mutant(
        "an original goes while its copy runs",
        "guard 6",
        _PRUNING,
        "if slot_of(one) in running:",
        "if slot_of(one) in running and one.arn in wanted:",
    ),
    Mutant(
        "an original goes before it was copied",
        "guard 6",
        _PRUNING,
        "elif slot_of(one) not in copied and one.arn in wanted:",
        "elif False:",
    ),
    Mutant(
        "every original without a copy stays for ever",
        "guard 6",
        _PRUNING,
        "elif slot_of(one) not in copied and one.arn in wanted:",
        "elif slot_of(one) not in copied:",
    ),
    Mutant(
        "copies are kept by the policy of the originals",
        "per location",
        "core/model.py",
        "return next((rule.keep for rule in self.copies if rule.place == place), self.keep)",
        "return self.keep",
    ),
    Mutant(
        "a resource whose backup failed is pruned",
        "guard 7",
        _PRUNING,
        '(why := spared or needed.get(one.backup.arn, ""))',
        '(why := needed.get(one.backup.arn, ""))',
    ),
    Mutant(
        "a resource whose backup is not finished is pruned",
        "guard 7",
        _PRUNE,
        "(State.FAILED, State.PENDING, State.DEFERRED)",
        "(State.FAILED,)",
    ),
    Mutant(
        "a prune by hand forgets what failed in the last run",
        "guard 7",
        _PRUNE,
        "runs = [one.last for one in told.values() if one.last < request.slot]",
        "runs = []",
    ),
    Mutant(
        "no breaker",
        "guard 8",
        _PRUNE,
        "    if decision.refusal:\n        return [_held_back",
        "    if False:\n        return [_held_back",
    ),
    Mutant(
        "the breaker allows one more",
        "guard 8",
        _PRUNING,
        "if most is not None and total > most:",
        "if most is not None and total > most + 1:",
    ),
    Mutant(
        "the breaker has no share",
        "guard 8",
        _PRUNING,
        "if total > share * standing and unusual > 0:",
        "if False:",
    ),
    Mutant(
        "the breaker takes vanished resources for usual ones",
        "guard 8",
        _PRUNING,
        "(plan.policy_for(place[1]).usual_deletes if slots[place] & last_two else 0))",
        "plan.policy_for(place[1]).usual_deletes)",
    ),
    Mutant(
        "the breaker begins anew with each sweep of a run",
        "guard 8",
        _PRUNE,
        "tripped(told, plan, request, memory.deleted_unread)",
        "tripped(told, plan, request)",
    ),
    Mutant(
        "a digest that is of the length of the list",
        "approval",
        _PRUNING,
        "*sorted(arns)]",
        "str(len(list(arns)))]",
    ),
    Mutant(
        "a digest that is good for every night",
        "approval",
        _PRUNING,
        "lines = [plan.name, format_slot(request.slot), *sorted(arns)]",
        "lines = [plan.name, *sorted(arns)]",
    ),
    Mutant(
        "an approval lets everything pass",
        "approval",
        _PRUNING,
        "if one.keep or one.backup.arn in arns\n",
        "if True\n",
    ),
    Mutant(
        "an approval of nothing lets the run go on",
        "approval",
        _PRUNE,
        "_not_approved(request) if request.approve else tripped(",
        "tripped(",
    ),
    Mutant(
        "backups of a former resource are the new one's",
        "guard 9",
        _PLANNING,
        "groups[(source_of(one), one.resource_id)].append(one)",
        'groups[(source_of(one), "")].append(one)',
    ),
    Mutant(
        "backups expire by age",
        "guard 9",
        _RETENTION,
        "    if kept_because:\n",
        "    if kept_because and (scene.now - backup.mark.slot).days < 60:\n",
    ),
    Mutant(
        "held backups are evidence",
        "guard 10",
        _RETENTION,
        "if is_good(one, now) and not one.held]",
        "if is_good(one, now)]",
    ),
    Mutant(
        "a hold does not hold",
        "guard 10",
        _RETENTION,
        "    if backup.held:\n        return Verdict(backup=backup, keep=True, reason=_held(backup.tags))\n",
        "",
    ),
    Mutant(
        "the hold list is not read again before the delete",
        "guard 10",
        _PRUNE,
        "return self._standing(backup.kind, listed, self._holds(backup.kind))",
        "return self._standing(backup.kind, listed, ())",
    ),
    Mutant(
        "the place of the backup is looked at first, and the slow listings come after",
        "guard 10",
        _PRUNE,
        "for place in reversed(places)}",
        "for place in places}",
    ),
    Mutant(
        "a hold list that cannot be read holds nothing",
        "guard 10",
        _PRUNE,
        '            raise HoldListError(place, [f"it cannot be read ({error})"]) from error',
        "            return ()",
    ),
    Mutant(
        "a hold on nothing is overlooked",
        "guard 10",
        _PRUNE,
        "        if unused:\n",
        "        if False:\n",
    ),
    Mutant(
        "a hold takes part of a name for the whole",
        "guard 10",
        _HOLDS,
        'fnmatchcase(backup.arn if self.backups.startswith("arn:") else by_name, self.backups)',
        "fnmatchcase(backup.arn if self.backups.startswith('arn:') else by_name[1:], self.backups[1:])",
    ),
    Mutant(
        "a new retention deletes at once",
        "guard 11",
        _PRUNING,
        "    if not changed:\n        return prune\n",
        "    return prune\n",
    ),
    Mutant(
        "what another guard keeps tonight is not announced",
        "guard 11",
        _PRUNING,
        "return not verdict.keep or (verdict.spared and not verdict.stood_on)",
        "return not verdict.keep",
    ),
    Mutant(
        "the second sweep of a run knows what its message will tell",
        "guard 11",
        _TOLD,
        "one.retention if one.since < slot else one.before",
        "one.retention",
    ),
    Mutant(
        "an old run that is repeated tells what is to be",
        "guard 11",
        _PRUNING,
        "if kind not in told or told[kind].last <= slot",
        "if True",
    ),
    Mutant(
        "an old message that is published again brings its retention back",
        "guard 11",
        _TOLD,
        "    if slot < told.last:\n        return told\n",
        "",
    ),
    Mutant(
        "people know although the message did not go out",
        "guard 11",
        "usecases/publish.py",
        "    if send:\n        notifier.publish(message)\n",
        "    if pruned := stages.get(Stage.PRUNE):\n"
        "        records.tell(request.plan, request.slot, pruned.foretold)\n"
        "    if send:\n        notifier.publish(message)\n",
    ),
    Mutant(
        "a change without effect tonight is not told",
        "guard 11",
        _PRUNING,
        "    if new:\n        changes",
        "    if new and prune.later:\n        changes",
    ),
    Mutant(
        "a change of the zone alone is none",
        "guard 11",
        "core/model.py",
        "return Retention(policies=policies, time_zone=self.time_zone)",
        "return Retention(policies=policies)",
    ),
    Mutant(
        "a rehearsal of the report tells people",
        "guard 11",
        "usecases/publish.py",
        "if pruned and pruned.foretold and not request.dry_run:",
        "if pruned and pruned.foretold:",
    ),
    Mutant(
        "only the first copy Region is waited for",
        "guard 6",
        _PRUNING,
        "fed = [rule for rule in rules if source_place(rule, home) == place]",
        "fed = [rule for rule in rules[:1] if source_place(rule, home) == place]",
    ),
    Mutant(
        "one location's unused allowance excuses another's excess",
        "guard 8",
        _PRUNING,
        "max(0, count - (plan.policy_for(place[1]).usual_deletes if slots[place] & last_two else 0))",
        "(count - (plan.policy_for(place[1]).usual_deletes if slots[place] & last_two else 0))",
    ),
    Mutant(
        "all deletions of earlier sweeps are unusual",
        "guard 8",
        _PRUNING,
        "unusual = _more_than_usual(prune, [*_locations_of_chains(deletes), *done], plan, request.slot)",
        "unusual = _more_than_usual(prune, _locations_of_chains(deletes), plan, request.slot) + len(done)",
    ),
    Mutant(
        "what was only offered counts as approved",
        "guard 8",
        _PRUNE,
        "for digest in earlier.approved for arn",
        "for digest in earlier.offers for arn",
    ),
    Mutant(
        "one good hold excuses a mistyped one",
        "guard 10",
        _HOLDS,
        "return [each for each in holds if not any(each.covers(one) for one in backups)]",
        "unused = [each for each in holds if not any(each.covers(one) for one in backups)]\n"
        "    return unused if len(unused) == len(list(holds)) else []",
    ),
    Mutant(
        "an ISO week without its year",
        "rule weekly",
        _RETENTION,
        "moment.isocalendar()[:2]",
        "moment.isocalendar()[1]",
    ),
    Mutant(
        "copies in flight are not counted",
        "copy slots",
        _PLANNING,
        "return rule.slots - sum(_is_in_flight(one) for kind in copying for one in kind.there)",
        "return rule.slots",
    ),
    Mutant(
        "each kind has the copy slots of its service for itself",
        "copy slots",
        _COPY,
        "carried.setdefault(laws.service, []).append(kind)",
        "carried.setdefault(kind, []).append(kind)",
    ),
    Mutant(
        "the oldest copies go first",
        "copy slots",
        _PLANNING,
        "key=lambda each: (slot_of(each.original), each.original.arn), reverse=True)",
        "key=lambda each: (slot_of(each.original), each.original.arn))",
    ),
    Mutant(
        "a copy that fails is begun for ever",
        "attempts",
        _PLANNING,
        "if len(wanted.failed) >= MOST_ATTEMPTS:",
        "if False:",
    ),
    Mutant(
        "a copy that failed is never begun again",
        "attempts",
        _PLANNING,
        "if copy is not None and copy.state is not BackupState.FAILED:",
        "if copy is not None:",
    ),
    Mutant(
        "the next attempt has the name of the failed one",
        "attempts",
        _PLANNING,
        "attempt = max((mark_of(one).attempt for one in failed), default=0) + 1",
        "attempt = 1",
    ),
    Mutant(
        "a run waits for a stuck copy",
        "stuck",
        "core/report.py",
        "one.state in (State.PENDING, State.DEFERRED) and not one.stuck for one",
        "one.state in (State.PENDING, State.DEFERRED) for one",
    ),
    Mutant(
        "an encrypted backup is copied without a key",
        "keys",
        _PLANNING,
        "if original.encrypted and not key and not wanted.laws.to_buckets:",
        "if False:",
    ),
    Mutant(
        "the plan's first key goes before that of the tags",
        "keys",
        "core/model.py",
        "return next(fitting, self.kms_key)",
        "return self.kms_key or next(fitting, self.kms_key)",
    ),
    Mutant(
        "an option group is left behind",
        "option groups",
        _PLANNING,
        'if not group or group.startswith("default:") or group in rule.option_groups:',
        "if True:",
    ),
    Mutant(
        "what a kept increment stands on is deleted",
        "guard 1",
        _PRUNING,
        "if not one.keep and slot in stands_on and one.backup.state is BackupState.AVAILABLE:",
        "if False:",
    ),
    Mutant(
        "a base goes before what stands on it",
        "guard 1",
        _PRUNING,
        "key=lambda one: (roots[one.backup.arn], -slot_of(one.backup).timestamp(), one.backup.arn),",
        "key=_age,",
    ),
    Mutant(
        "what is put off parts from what it stands on",
        "guard 1",
        _PRUNING,
        "settled = {\n        one.backup.arn: one",
        "settled: dict[str, Verdict] = {} if True else {\n        one.backup.arn: one",
    ),
    Mutant(
        "copies that cannot be begun take the others' slots",
        "copy slots",
        _COPY,
        "room -= sum(one.state in (State.DONE, State.PENDING) for one in acted)",
        "room -= len(acted)",
    ),
    Mutant(
        "a copy that failed is as good as one that stands",
        "never ok",
        _COPY,
        "and one.state in (BackupState.CREATING, BackupState.AVAILABLE)",
        "and one.state",
    ),
    Mutant(
        "copies in another account are pruned from here",
        "guard 3",
        _PRUNING,
        "if account_in(place):",
        "if False:",
    ),
    Mutant(
        "the copy that feeds another account is not needed",
        "guard 6",
        _PRUNING,
        "fed = [rule for rule in rules if source_place(rule, home) == place]",
        "fed = [rule for rule in rules if source_place(rule, home) == place == home.region]",
    ),
    Mutant(
        "right before a delete the copies that it feeds are not looked at",
        "guard 10",
        _PRUNE,
        "listed = self._listed(backup.kind, [backup.place, *copies], backup.source)",
        "listed = self._listed(backup.kind, [backup.place], backup.source)",
    ),
    Mutant(
        "a remnant is kept for ever",
        "remnants",
        _RETENTION,
        "if backup.state is BackupState.REMNANT:",
        "if False:",
    ),
    Mutant(
        "a hint's slot is the moment that it comes",
        "hints",
        _COPY,
        "work = replace(work, request=replace(request, slot=slot))",
        "work = replace(work, request=replace(request, hint=False))",
    ),
    Mutant(
        "two sweeps copy at the same time",
        "hints",
        _COPY,
        "return step.outcome(State.PENDING, _NOT_OURS)",
        "pass",
    ),
    Mutant(
        "a base goes although its increment could not be deleted",
        "increments",
        _PRUNE,
        "why = verdict.reason if verdict.keep else _still_stood_on(verdict.backup, now)",
        'why = verdict.reason if verdict.keep else ""',
    ),
    Mutant(
        "what is about to be deleted is not noted",
        "telling",
        _PRUNE,
        "        _note(ports.records, rules, decision, refusals, memory.untold)\n",
        "",
    ),
    Mutant(
        "what a killed sweep deleted is told nowhere",
        "telling",
        _PRUNE,
        "            *memory.untold,\n",
        "",
    ),
    Mutant(
        "what a killed sweep deleted does not count for the breaker",
        "guard 8",
        _PRUNE,
        "for one in (*earlier.outcomes, *untold)",
        "for one in earlier.outcomes",
    ),
    Mutant(
        "a forbidden deletion is told as done",
        "telling",
        _PRUNE,
        "if _stands(cloud, verdict.backup):",
        "if False:",
    ),
    Mutant(
        "right before a delete a listing that finds nothing is taken for a backup that is gone",
        "telling",
        _PRUNE,
        "return _outcome(verdict, State.FAILED, reason)",
        "return _outcome(verdict, State.SKIPPED, reason)",
    ),
    Mutant(
        "what a listing shows twice is copied twice",
        "copies",
        _COPY,
        "list(each_once(self.ports.providers[kind].backups(place)))",
        "list(self.ports.providers[kind].backups(place))",
    ),
    Mutant(
        "what a listing shows twice is backed up twice",
        "creating",
        _PLANNING,
        "for one in sorted(once.values(), key=lambda each: each.arn):",
        "for one in sorted([*once.values(), *list(once.values())[:1]], key=lambda each: each.arn):",
    ),
    Mutant(
        "a resource that is listed and not found is no failure",
        "telling",
        "usecases/create.py",
        'step.outcome(State.FAILED, f"{_VANISHED} ({error})")',
        'step.outcome(State.SKIPPED, f"{_VANISHED} ({error})")',
    ),
    Mutant(
        "one bad moment of the plans' store costs the night",
        "running",
        "usecases/run.py",
        'if not window.get("may_pass"):',
        "if True:",
    ),
)
