"""Setting by setting: what a restored resource has in comparison with its source."""

from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.restoring import Configuration, Fate, Json, Settings
from holdfast.core.settling import compare
from tests.builders import TABLE

values: st.SearchStrategy[Json] = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
settings = st.dictionaries(st.sampled_from("ABCDEF"), values, max_size=6)


def having(what: Settings, **unread: str) -> Configuration:
    return Configuration(arn=TABLE, settings=what, unread=unread)


def fates(*given: object) -> dict[str, Fate]:
    return {one.name: one.fate for one in compare(*given)}  # type: ignore[arg-type]


@given(settings)
def test_what_is_equal_is_restored(had: Settings) -> None:
    assert fates(having(had), having(had), {}, {}) == dict.fromkeys(had, Fate.RESTORED)


@given(settings, settings)
def test_what_is_not_equal_never_is(had: Settings, has: Settings) -> None:
    told = fates(having(had), having(has), {}, {})
    assert set(told) == set(had), "what only the new one has is no loss"
    assert all((fate is Fate.RESTORED) == (had[name] == has.get(name)) for name, fate in told.items())


@given(settings, settings)
def test_what_the_request_gives_is_compared_with_that(had: Settings, given_: Settings) -> None:
    told = fates(having(had), having({**had, **given_}), given_, {})
    assert set(told) == {*had, *given_}
    assert Fate.NOT_POSSIBLE not in told.values()
    assert {name for name, fate in told.items() if fate is Fate.CHANGED} == {
        name for name, value in given_.items() if had.get(name) != value
    }


def test_a_person_s_order_and_what_a_person_leaves_open_are_no_difference() -> None:
    given_: Settings = {
        "Groups": ["sg-b", "sg-a"],
        "Instances": [{"Class": "db.r7g.large"}],
        "Tags": {"a": "1"},
    }
    has: Settings = {
        "Groups": ["sg-a", "sg-b"],
        "Instances": [{"Class": "db.r7g.large", "Tier": 1}],
        "Tags": {"a": "1", "b": "2"},
    }
    told = fates(having({}), having(has), given_, {})
    assert told == {"Groups": Fate.CHANGED, "Instances": Fate.CHANGED, "Tags": Fate.NOT_POSSIBLE}


def test_each_loss_has_its_reason() -> None:
    source = having({"A": 1, "B": 2, "C": 3}, D="AccessDenied")
    restored = having({"A": 0, "B": 2}, C="Throttled")
    reasons = {one.name: one.reason for one in compare(source, restored, {}, {"A": "give settings.A"})}
    assert reasons == {
        "A": "give settings.A",
        "B": "",
        "C": "what it is now could not be read: Throttled",
        "D": "the source's could not be read: AccessDenied",
    }


def test_a_problem_of_what_the_source_does_not_name_is_told_too() -> None:
    [told] = compare(having({}), having({}), {}, {"Instances": "not permitted"})
    assert (told.name, told.fate, told.reason) == ("Instances", Fate.NOT_POSSIBLE, "not permitted")


def test_nor_does_a_source_that_has_none_hide_it() -> None:
    [told] = compare(having({"Instances": []}), having({"Instances": []}), {}, {"Instances": "not permitted"})
    assert (told.fate, told.reason) == (Fate.NOT_POSSIBLE, "not permitted")


def test_what_could_not_be_read_of_the_source_and_is_given_is_no_loss() -> None:
    assert fates(having({}, D="AccessDenied"), having({"D": 1}), {"D": 1}, {}) == {"D": Fate.CHANGED}
