"""What people and machines read of a restore."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.restore_message import duration, message_of, status_of
from holdfast.core.restoring import (
    Configuration,
    Fate,
    Pick,
    Piece,
    Restore,
    RestoreRequest,
    RestoreState,
    SettingOutcome,
    Way,
    restore_from_dict,
    restore_to_dict,
)
from holdfast.ports import Message
from tests.builders import HOME, HOME_REGION, NIGHT, TABLE, a_backup
from tests.messages import RESTORE_SCHEMA, check, check_data

ADDRESS = "s3://reports/restores/worst-day.json"
ENDS = [RestoreState.DONE, RestoreState.REFUSED, RestoreState.FAILED]
any_text = st.text(max_size=300)


def a_restore(state: RestoreState = RestoreState.DONE, **more: object) -> Restore:
    backup = a_backup(NIGHT, TABLE)
    restore = Restore(
        request=RestoreRequest(id="worst-day", resource=TABLE, region=HOME_REGION),
        state=state,
        reason="it stands",
        began=NIGHT,
        ended=NIGHT + timedelta(minutes=23),
        to="orders-restored",
        arn=f"{TABLE}-restored",
        pick=Pick(
            way=Way.BACKUP,
            instant=NIGHT,
            reason="the newest good one",
            pieces=(Piece(arn=backup.arn, id=backup.id, place=HOME_REGION, slot=NIGHT),),
        ),
        known=Configuration(arn=TABLE, settings={"TimeToLive": "expires"}),
        settings=(
            SettingOutcome(name="TimeToLive", fate=Fate.RESTORED, source="expires", restored="expires"),
        ),
    )
    return replace(restore, **more)  # type: ignore[arg-type]


def lost(name: str = "TimeToLive", reason: str = "not permitted", value: str = "expires") -> SettingOutcome:
    return SettingOutcome(name=name, fate=Fate.NOT_POSSIBLE, source=value, restored=None, reason=reason)


def sent(restore: Restore) -> Message:
    """The message, which has to be as documented and small enough."""
    told = message_of(restore, HOME, ADDRESS)
    message = Message(subject=told.subject, text=told.text, data=told.data, attributes=told.attributes)
    check(message)
    return message


class TestTheSubject:
    @pytest.mark.parametrize(
        ("restore", "subject"),
        [
            (a_restore(), "Holdfast restore: OK, orders-restored in 23 min"),
            (
                a_restore(settings=(lost(),)),
                "Holdfast restore: PARTIAL, orders-restored in 23 min, 1 setting missing",
            ),
            (a_restore(known=None), "Holdfast restore: PARTIAL, orders-restored in 23 min"),
            (a_restore(RestoreState.REFUSED, to=""), "Holdfast restore: REFUSED, orders"),
            (a_restore(RestoreState.FAILED), "Holdfast restore: FAILED, orders-restored"),
        ],
    )
    def test_it_says_the_status_and_the_time(self, restore: Restore, subject: str) -> None:
        assert sent(restore).subject == subject

    @given(any_text, st.integers(0, 10**7), st.integers(0, 30))
    def test_it_is_one_line_that_sns_takes(self, to: str, seconds: int, missing: int) -> None:
        sent(
            a_restore(
                to=to,
                ended=NIGHT + timedelta(seconds=seconds),
                settings=tuple(lost(f"Setting{n}") for n in range(missing)),
            )
        )


class TestTheText:
    @given(st.sampled_from(ENDS), any_text, any_text)
    def test_it_begins_with_the_verdict(self, state: RestoreState, reason: str, name: str) -> None:
        text = sent(a_restore(state, reason=reason, settings=(lost(name, reason),))).text
        words = {
            RestoreState.DONE: "orders-restored stands in us-east-1, made of orders in 23 min.",
            RestoreState.REFUSED: "The restore of dynamodb orders was refused: ",
            RestoreState.FAILED: "The restore of dynamodb orders failed: ",
        }
        assert text.startswith(words[state])
        assert ADDRESS in text

    def test_what_is_lost_stands_before_what_is_well(self) -> None:
        text = sent(a_restore(settings=(*a_restore().settings, lost("Tags")))).text
        assert text.index("What did not come back") < text.index("As the source had it")

    def test_of_very_many_settings_it_has_the_first_and_how_many_more(self) -> None:
        text = sent(a_restore(settings=tuple(lost(f"Setting{n:03}") for n in range(100)))).text
        assert "Setting059" in text
        assert "Setting060" not in text
        assert "and 40 more" in text


class TestTheData:
    def test_it_is_the_document_and_where_it_comes_from(self) -> None:
        data = json.loads(sent(a_restore()).data)
        assert data["status"] == "ok"
        assert (data["stack"], data["region"]) == ("holdfast", HOME_REGION)
        assert data["settings"][0]["fate"] == "restored"
        assert "left_out" not in data

    def test_what_is_too_long_for_sns_is_in_the_document_alone(self) -> None:
        huge = tuple(lost(f"Setting{n}", value="€" * 2000) for n in range(100))
        data = json.loads(sent(a_restore(settings=huge)).data)
        assert (data["settings"], data["left_out"]) == ([], True)

    @given(st.sampled_from([*ENDS, RestoreState.PENDING]), any_text, st.booleans())
    def test_the_document_says_all_of_it(self, state: RestoreState, text: str, is_known: bool) -> None:
        restore = a_restore(
            state,
            reason=text,
            ended=None if state is RestoreState.PENDING else NIGHT,
            known=Configuration(arn=TABLE, settings={text: [text, 1, None]}, unread={"B": text})
            if is_known
            else None,
            settings=(lost(text, text),),
        )
        document = json.loads(json.dumps(restore_to_dict(restore)))
        check_data(document, "document", RESTORE_SCHEMA)
        assert restore_from_dict(document) == restore


def test_the_status_in_a_word() -> None:
    assert [status_of(a_restore(state)) for state in ENDS] == ["ok", "refused", "failed"]
    assert status_of(a_restore(RestoreState.PENDING)) == "failed", "nobody waits for it any longer"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.4, "59 s"), (60, "1 min"), (3599, "1 h 0 min"), (3900, "1 h 5 min")],
)
def test_a_duration_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words
