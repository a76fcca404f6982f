"""Plan documents: every key, every mistake, and that nothing but a `PlanError` ever comes of one."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import PlanError
from holdfast.core.model import Breaker, CopyRule, KeepPolicy, KeyRule, Origin, Plan, Selection
from holdfast.core.spans import Span
from holdfast.plans import WITHIN_RULE, PlanLimits, parse_plan
from tests.builders import KEY

LIMITS = PlanLimits(
    kinds=("aurora", "dynamodb", "ebs", "rds"),
    home_region="us-east-1",
    copy_regions=("us-west-2", "eu-central-1"),
    copy_buckets={"us-west-2": "exports"},
    vault_accounts=("111122223333",),
    account="123456789012",
)
OTHER_KEY = KEY.replace("1234abcd", "feedbeef")
VAULT_KEY = KEY.replace("123456789012", "111122223333")
LEAST: dict[str, Any] = {"name": "nightly", "select": {"tags": {"a": "b"}}, "keep": {"daily": 7}}
EVERY_KEY: dict[str, Any] = {
    "name": "nightly",
    "select": {
        "tags": {"holdfast:plan": "nightly"},
        "include": ["arn:aws:rds:*:*:db:shop-*"],
        "exclude": ["*:db:shop-test"],
        "types": ["dynamodb", "rds"],
    },
    "keep": {
        "last": 1,
        "hourly": 2,
        "daily": 7,
        "weekly": 4,
        "monthly": 12,
        "yearly": 3,
        "within": "1y6m",
        "oldest": True,
        "minimum": 5,
    },
    "copies": [
        {
            "region": "us-west-2",
            "kms_key": KEY,
            "kms_keys": [{"tags": {"class": "secret"}, "kms_key": OTHER_KEY}],
            "keep": {"daily": 9, "minimum": 1},
            "slots": 5,
            "option_groups": {"auditing": "auditing-west"},
            "unencrypted_clusters": "copy",
            "bucket": "exports",
            "incremental": {"full_every_days": 7},
        },
        {"region": "us-west-2", "account": "111122223333", "kms_key": VAULT_KEY, "keep": {"monthly": 3}},
        {"region": "eu-central-1", "keep": {"within": "36h"}},
    ],
    "time_zone": "Europe/Berlin",
    "window_minutes": 480,
    "rpo_hours": 30,
    "rto_minutes": 90,
    "prune": {"max_deletes_per_run": 50, "max_delete_share": 0.5},
}


def parse(document: object) -> Plan:
    return parse_plan("nightly", json.dumps(document), LIMITS)


def problems_of(text: str) -> list[str]:
    with pytest.raises(PlanError) as caught:
        parse_plan("nightly", text, LIMITS)
    assert caught.value.plan == "nightly"
    return list(caught.value.problems)


def changed(**keys: object) -> dict[str, Any]:
    return LEAST | keys


def a_copy(**keys: object) -> list[dict[str, object]]:
    return [{"region": "us-west-2", "keep": {"daily": 9}} | keys]


def test_every_key_is_read() -> None:
    assert parse(EVERY_KEY) == Plan(
        name="nightly",
        select=Selection(
            tags={"holdfast:plan": "nightly"},
            include=("arn:aws:rds:*:*:db:shop-*",),
            exclude=("*:db:shop-test",),
            types=frozenset({"dynamodb", "rds"}),
        ),
        keep=KeepPolicy(
            last=1,
            hourly=2,
            daily=7,
            weekly=4,
            monthly=12,
            yearly=3,
            within=Span(years=1, months=6),
            oldest=True,
            minimum=5,
        ),
        breaker=Breaker(max_deletes_per_run=50, max_delete_share=0.5),
        copies=(
            CopyRule(
                region="us-west-2",
                kms_key=KEY,
                kms_keys=(KeyRule(tags={"class": "secret"}, kms_key=OTHER_KEY),),
                keep=KeepPolicy(daily=9, minimum=1),
                slots=5,
                option_groups={"auditing": "auditing-west"},
                copy_unencrypted=True,
                bucket="exports",
                full_every_days=7,
            ),
            CopyRule(
                region="us-west-2",
                account="111122223333",
                kms_key=VAULT_KEY,
                keep=KeepPolicy(monthly=3, minimum=2),
            ),
            CopyRule(region="eu-central-1", keep=KeepPolicy(within=Span(hours=36), minimum=2)),
        ),
        time_zone="Europe/Berlin",
        window_minutes=480,
        rpo_hours=30,
        rto_minutes=90,
    )


def test_what_is_left_out_has_its_default() -> None:
    assert parse(LEAST) == Plan(
        name="nightly",
        select=Selection(tags={"a": "b"}, types=frozenset(LIMITS.kinds)),
        keep=KeepPolicy(daily=7, minimum=2),
        breaker=Breaker(max_deletes_per_run=None, max_delete_share=0.25),
    )


COUNT = "give a whole number from 0 to 10000"


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (
            changed(kep={}),
            (
                "kep: unknown key; allowed are copies, drill, keep, name, prune, rpo_hours, rto_minutes, "
                "select, time_zone, vault_of, window_minutes"
            ),
        ),
        (
            changed(keep={"daily": 7, "dayly": 1}),
            (
                "keep.dayly: unknown key; allowed are daily, hourly, last, minimum, monthly, oldest, "
                "weekly, within, yearly"
            ),
        ),
        (
            changed(select={"tag": {}, "tags": {"a": "b"}}),
            ("select.tag: unknown key; allowed are exclude, include, tags, types"),
        ),
        (
            changed(copies=a_copy(zone=1)),
            (
                "copies[0].zone: unknown key; allowed are account, bucket, incremental, "
                "keep, kms_key, kms_keys, option_groups, region, slots, unencrypted_clusters"
            ),
        ),
        (
            changed(prune={"max": 1}),
            "prune.max: unknown key; allowed are max_delete_share, max_deletes_per_run",
        ),
        (
            {"select": {"tags": {"a": "b"}}, "keep": {"daily": 7}},
            "name: missing; give 1 to 32 lower-case letters and digits, a letter first",
        ),
        (
            {"name": "nightly", "keep": {"daily": 7}},
            "select: missing; give an object with at least one of tags and include",
        ),
        ({"name": "nightly", "select": {"tags": {"a": "b"}}}, "keep: missing; give an object of counts"),
        (
            changed(name="Night-ly"),
            "name: 'Night-ly' is not allowed; give 1 to 32 lower-case letters and digits, a letter first",
        ),
        (changed(name="weekly"), "name: 'weekly' is stored as the plan 'nightly'; give both the same name"),
        (
            changed(name=7),
            "name: 7 is not allowed; give 1 to 32 lower-case letters and digits, a letter first",
        ),
        (
            changed(select={}),
            "select: it selects by nothing; give at least one of select.tags and select.include",
        ),
        (
            changed(select={"exclude": ["*"]}),
            "select: it selects by nothing; give at least one of select.tags and select.include",
        ),
        (
            changed(select={"tags": ["a"]}),
            'select.tags: ["a"] is not allowed; give an object of tag keys and values',
        ),
        (
            changed(select={"tags": {"a": 1}}),
            "select.tags.a: 1 is not allowed; give an object of tag keys and values",
        ),
        (
            changed(select={"include": "*"}),
            'select.include: "*" is not allowed; give a list of ARNs or globs over ARNs',
        ),
        (
            changed(select={"include": [""]}),
            'select.include[0]: "" is not allowed; give a list of ARNs or globs over ARNs',
        ),
        (
            changed(select={"include": ["*"], "exclude": [7]}),
            "select.exclude[0]: 7 is not allowed; give a list of ARNs or globs over ARNs",
        ),
        (
            changed(select={"tags": {"a": "b"}, "types": ["s3"]}),
            'select.types: ["s3"] is not allowed; give some of aurora, dynamodb, ebs, rds, or leave it out',
        ),
        (
            changed(select={"tags": {"a": "b"}, "types": []}),
            "select.types: [] is not allowed; give some of aurora, dynamodb, ebs, rds, or leave it out",
        ),
        *(
            (
                changed(keep={"within": value}),
                f"keep.within: {json.dumps(value)} is not allowed; give {WITHIN_RULE}",
            )
            for value in ("", "0d", "2w", "30min", "-14d", "1.5d", "14", 14, True)
        ),
        (
            changed(keep={"daily": 7, "oldest": "yes"}),
            'keep.oldest: "yes" is not allowed; give true or false',
        ),
        (
            changed(keep={"oldest": True}),
            (
                "keep: no count is above 0, so it would keep nothing; give at least one of last, "
                "hourly, daily, weekly, monthly, yearly, or within"
            ),
        ),
        (
            changed(keep={}),
            (
                "keep: no count is above 0, so it would keep nothing; give at least one of last, "
                "hourly, daily, weekly, monthly, yearly, or within"
            ),
        ),
        (
            changed(keep={"minimum": 5}),
            (
                "keep: no count is above 0, so it would keep nothing; give at least one "
                "of last, hourly, daily, weekly, monthly, yearly, or within"
            ),
        ),
        (changed(keep={"daily": -1}), f"keep.daily: -1 is not allowed; {COUNT}"),
        (changed(keep={"last": 10_001}), f"keep.last: 10001 is not allowed; {COUNT}"),
        (changed(keep={"hourly": 1.5}), f"keep.hourly: 1.5 is not allowed; {COUNT}"),
        (changed(keep={"weekly": "4"}), f'keep.weekly: "4" is not allowed; {COUNT}'),
        (changed(keep={"monthly": True}), f"keep.monthly: true is not allowed; {COUNT}"),
        (changed(keep={"yearly": None}), f"keep.yearly: null is not allowed; {COUNT}"),
        (
            changed(keep={"daily": 7, "minimum": 0}),
            "keep.minimum: 0 is not allowed; give a whole number from 1 to 10000",
        ),
        (changed(keep=7), "keep: 7 is not allowed; give an object of counts"),
        (changed(copies={}), "copies: {} is not allowed; give a list of Regions to copy to"),
        (
            changed(copies=["us-west-2"]),
            'copies[0]: "us-west-2" is not allowed; give a list of Regions to copy to',
        ),
        (
            changed(copies=[{"keep": {"daily": 9}}]),
            "copies[0].region: missing; give the name of an AWS Region",
        ),
        (
            changed(copies=[{"region": "us-west-2"}]),
            "copies[0].keep: missing; give an object of counts, as in the plan's own keep",
        ),
        (
            changed(copies=a_copy(region="mars-1")),
            (
                "copies[0].region: 'mars-1' is not allowed; this stack may copy to eu-central-1, us-west-2 "
                "(template parameter CopyRegion)"
            ),
        ),
        (
            changed(copies=a_copy(region="us-east-1")),
            "copies[0].region: 'us-east-1' is where the backups are made; give another Region",
        ),
        (
            changed(copies=a_copy(account="111122223333")),
            (
                "copies: the account 111122223333 gets its copies from those in us-west-2; copy to us-west-2 "
                "in the stack's own account too"
            ),
        ),
        (
            changed(copies=[*a_copy(), *a_copy(account="444455556666")]),
            (
                "copies[1].account: '444455556666' is not allowed; this stack may copy to 111122223333 "
                "(template parameter VaultAccountId)"
            ),
        ),
        (
            changed(copies=a_copy(account="12")),
            (
                'copies[0].account: "12" is not allowed; give the 12 digits of another AWS account, or empty '
                "for the stack's own"
            ),
        ),
        (
            changed(copies=[*a_copy(), *a_copy(account="111122223333", kms_key=KEY)]),
            f"copies[1]: kms_key '{KEY}' is of another account; give a key of 111122223333",
        ),
        (
            changed(copies=a_copy(kms_keys=[{"tags": {}, "kms_key": KEY}])),
            "copies[0].kms_keys[0].tags: {} is not allowed; give an object of tag keys and values",
        ),
        (
            changed(copies=a_copy(kms_keys=[{"tags": {"a": "b"}, "kms_key": ""}])),
            'copies[0].kms_keys[0].kms_key: "" is not allowed; give the ARN of a KMS key',
        ),
        (
            changed(
                copies=a_copy(kms_keys=[{"tags": {"a": "b"}, "kms_key": KEY.replace("west-2", "west-1")}])
            ),
            (
                f"copies[0]: kms_key '{KEY.replace('west-2', 'west-1')}' is of another Region; "
                "give a key of us-west-2"
            ),
        ),
        (
            changed(copies=a_copy(bucket="mine")),
            "copies[0]: bucket 'mine' is not allowed; give exports (template parameter CopyBucket)",
        ),
        (
            changed(copies=a_copy(region="eu-central-1", bucket="exports")),
            "copies[0]: bucket 'exports' is not allowed; give none (template parameter CopyBucket)",
        ),
        (
            changed(copies=[*a_copy(), *a_copy(account="111122223333", bucket="exports")]),
            "copies[1]: bucket: exports cannot go to another account; leave it out",
        ),
        (
            changed(copies=a_copy(incremental={"full_every_days": 7})),
            "copies[0]: incremental: only exports can be incremental; give a bucket, or leave it out",
        ),
        (
            changed(copies=a_copy(bucket="exports", incremental={"full_every_days": 31})),
            "copies[0].incremental.full_every_days: 31 is not allowed; give a whole number from 1 to 30",
        ),
        (
            changed(copies=a_copy(unencrypted_clusters="maybe")),
            'copies[0].unencrypted_clusters: "maybe" is not allowed; give "fail" or "copy"',
        ),
        (
            changed(copies=a_copy(option_groups={"auditing": ""})),
            (
                'copies[0].option_groups.auditing: "" is not allowed; give an object of RDS option groups: '
                "at the source, and at the copy"
            ),
        ),
        (
            changed(copies=[*a_copy(), *a_copy()]),
            "copies: us-west-2 is given more than once; give each place once",
        ),
        (
            changed(copies=a_copy(kms_key="alias/backup")),
            'copies[0].kms_key: "alias/backup" is not allowed; give the ARN of a KMS key, or empty',
        ),
        (
            changed(copies=a_copy(kms_key=KEY.replace("us-west-2", "us-east-1"))),
            (
                f"copies[0]: kms_key '{KEY.replace('us-west-2', 'us-east-1')}' is of another Region; "
                "give a key of us-west-2"
            ),
        ),
        (changed(copies=a_copy(keep={"daily": -1})), f"copies[0].keep.daily: -1 is not allowed; {COUNT}"),
        (
            changed(copies=a_copy(slots=0)),
            "copies[0].slots: 0 is not allowed; give a whole number from 1 to 1000",
        ),
        (
            changed(time_zone="Mars/Olympus"),
            (
                "time_zone: 'Mars/Olympus' is not allowed; "
                "give a zone of the IANA database, as Europe/Berlin is one"
            ),
        ),
        (
            changed(time_zone="../../etc/passwd"),
            (
                "time_zone: '../../etc/passwd' is not allowed; give a zone of the IANA database, "
                "as Europe/Berlin is one"
            ),
        ),
        (changed(window_minutes=0), "window_minutes: 0 is not allowed; give a whole number from 1 to 1440"),
        (
            changed(window_minutes=1441),
            "window_minutes: 1441 is not allowed; give a whole number from 1 to 1440",
        ),
        (changed(rpo_hours=0), "rpo_hours: 0 is not allowed; give a whole number from 1 to 8784"),
        (changed(rto_minutes=-5), "rto_minutes: -5 is not allowed; give a whole number from 1 to 525600"),
        (
            changed(prune={"max_deletes_per_run": -1}),
            "prune.max_deletes_per_run: -1 is not allowed; give a whole number, 0 or more",
        ),
        (
            changed(prune={"max_delete_share": 1.5}),
            "prune.max_delete_share: 1.5 is not allowed; give a number from 0 to 1",
        ),
        ([], "the document is []; give an object"),
        (None, "the document is null; give an object"),
        ("nightly", 'the document is "nightly"; give an object'),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_each_mistake_names_the_key_the_value_and_what_is_allowed(document: object, problem: str) -> None:
    assert problems_of(json.dumps(document)) == [problem]


A_VAULT: dict[str, Any] = {
    "name": "nightly",
    "vault_of": {"account": "444455556666", "region": "us-east-1"},
    "keep": {"daily": 7},
}


@pytest.mark.parametrize("select", [{}, {"select": {}}, {"select": {"types": ["rds"]}}])
def test_a_vault_s_plan_selects_at_most_types(select: dict[str, Any]) -> None:
    plan = parse(A_VAULT | select)
    assert plan.vault_of == Origin(account="444455556666", region="us-east-1")
    assert plan.select == Selection(types=frozenset(select.get("select", {}).get("types", LIMITS.kinds)))
    assert plan.copies == ()


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        *(
            (
                {"select": {key: value}},
                "select: with vault_of, what stands is kept; give types alone, or leave it out",
            )
            for key, value in (("tags", {"a": "b"}), ("include", ["*"]), ("exclude", ["*"]))
        ),
        ({"copies": a_copy()}, "copies: with vault_of, nothing is copied on; leave it out"),
        (
            {"vault_of": {"account": "123456789012", "region": "us-east-1"}},
            "vault_of.account: '123456789012' is the stack's own; give the account that the copies come from",
        ),
        (
            {"vault_of": {"account": "1234", "region": "us-east-1"}},
            'vault_of.account: "1234" is not allowed; give the 12 digits of another AWS account',
        ),
        (
            {"vault_of": {"account": "444455556666", "region": ""}},
            'vault_of.region: "" is not allowed; give the name of an AWS Region',
        ),
        (
            {"vault_of": {"region": "us-east-1"}},
            "vault_of.account: missing; give the 12 digits of another AWS account",
        ),
        (
            {"vault_of": {"account": "444455556666", "region": "us-east-1", "stack": "x"}},
            "vault_of.stack: unknown key; allowed are account, region",
        ),
        (
            {"vault_of": "us-east-1"},
            (
                'vault_of: "us-east-1" is not allowed; '
                "give an object with account and region, or null for a plan that makes backups"
            ),
        ),
        ({"vault_of": None}, "select: missing; give an object with at least one of tags and include"),
    ],
)
def test_a_vault_s_plan_has_mistakes_of_its_own(keys: dict[str, Any], problem: str) -> None:
    assert problems_of(json.dumps(A_VAULT | keys)) == [problem]


def test_all_mistakes_are_told_at_once() -> None:
    document = {
        "nmae": "nightly",
        "select": {},
        "keep": {"daily": -1, "dayly": 7},
        "copies": [{"region": "mars-1", "keep": {}}],
        "time_zone": "Mars/Olympus",
        "prune": {"max_delete_share": 2},
    }
    keys = [problem.split(":")[0] for problem in problems_of(json.dumps(document))]
    assert sorted(keys) == sorted(
        [
            "nmae",
            "name",
            "select",
            "keep.daily",
            "keep.dayly",
            "copies[0].region",
            "copies[0].keep",
            "time_zone",
            "prune.max_delete_share",
        ]
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1, column 1: not JSON"),
        ("{", "line 1, column 2: not JSON"),
        ('{"name":\n "nightly",}', "line 2, column 11: not JSON"),
        ('{"name": "nightly", "name": "nightly"}', "name: given twice; give it once"),
        ('{"keep": {"daily": 1, "daily": 2}}', "daily: given twice; give it once"),
        ("[" * 100_000, "not JSON that can be read"),
        ('{"keep": {"daily": ' + "9" * 5_000 + "}}", "not JSON that can be read"),
        ('{"name": "\\ud800"}', "not JSON that can be read"),
        ('{"name": NaN}', "name: "),
    ],
    ids=["empty", "cut", "comma", "twice", "twice inside", "deep", "long", "half a letter", "NaN"],
)
def test_what_is_no_json_says_where(text: str, told: str) -> None:
    assert any(problem.startswith(told) for problem in problems_of(text))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
_KEYS = st.sampled_from(["last", "daily", "minimum", "region", "keep", "kms_key", "slots", "tags", "types"])
near_plans = st.fixed_dictionaries(
    {},
    optional={
        key: json_values | st.dictionaries(_KEYS, json_values, max_size=4) | st.just(value)
        for key, value in (EVERY_KEY | A_VAULT).items()
    },
)


@given(json_values | near_plans)
def test_any_json_is_a_plan_or_a_plan_error(document: object) -> None:
    try:
        plan = parse(document)
    except PlanError as error:
        told = list(error.problems)
    else:
        told = ["not told: a plan that keeps something"]
        assert not plan.keep.is_unusable
    assert told
    assert all(told)


@given(st.text())
def test_any_text_is_a_plan_or_a_plan_error(text: str) -> None:
    assert problems_of(text)


_MAPPINGS = ("tags", "option_groups")
"""The keys in these are the people's own."""


def test_each_key_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "plans.md").read_text()

    def keys_of(document: dict[str, Any]) -> set[str]:
        values = [
            value[0] if key == "copies" else value for key, value in document.items() if key not in _MAPPINGS
        ]
        return set(document).union(*(keys_of(value) for value in values if isinstance(value, dict)))

    keys = keys_of(EVERY_KEY | A_VAULT) - {"holdfast:plan"}
    missing = sorted(key for key in keys if not re.search(rf"`[a-z_.\[\]]*\b{key}[`.]", page))
    assert missing == [], f"docs/plans.md says nothing of {', '.join(missing)}"


def test_of_many_mistakes_the_first_are_told_and_the_others_counted() -> None:
    with pytest.raises(PlanError) as caught:
        parse({"copies": [{}] * 2600})
    problems = caught.value.problems
    assert len(problems) > 2600
    assert str(caught.value).endswith(f"; and {len(problems) - 20} more")
    assert len(str(caught.value)) < 5000
