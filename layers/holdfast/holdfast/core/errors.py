"""Every error that Holdfast raises on purpose.

Adapters translate what AWS answers into a `ProviderError`; nothing above them sees a `ClientError`.
"""

from collections.abc import Iterable

from holdfast.core.brief import joined


class HoldfastError(Exception):
    """The root of all errors below."""


class PlanError(HoldfastError):
    """A plan document that cannot be used. Carries every problem found, and tells the first."""

    def __init__(self, plan: str, problems: Iterable[str]) -> None:
        self.plan = plan
        self.problems = tuple(problems)
        super().__init__(f"plan {plan!r} cannot be used: " + joined(self.problems))


class HoldListError(HoldfastError):
    """A hold list that cannot be used. Carries every mistake found, and tells the first."""

    def __init__(self, place: str, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(f"the hold list {place} cannot be used: " + joined(self.problems))


class PricesError(HoldfastError):
    """Prices that cannot be used. Carries every mistake found, and tells the first."""

    def __init__(self, place: str, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(f"the prices {place} cannot be used: " + joined(self.problems))


class RequestError(HoldfastError):
    """An event that does not say what it wants in the way that is documented."""


class SettingsError(HoldfastError):
    """An environment variable that is missing or has no usable value."""


class RestoreRefused(HoldfastError):
    """A restore that cannot be done as it was asked for. The text names the way that would work."""


class DatabaseRefused(HoldfastError):
    """What a database, or the way to it, did not let be asked. The text says why, in the server's words."""


class RunFailed(HoldfastError):
    """A run that ended with something missing. Raised after its report went out."""


class StageCrashed(HoldfastError):
    """A stage that could not do its work at all: its function raised, ran out of time or was not run. It
    always has a text: AWS may tell nothing of a function that it ended, and no reason would read as none."""

    def __init__(self, why: str) -> None:
        super().__init__(why.strip() or "its function ended, and AWS does not say why")


class ProviderError(HoldfastError):
    """A call to AWS that did not do what it was asked.

    `operation` and `code` are AWS's own names. `retryable` says that the same call may succeed later
    without anybody changing anything.
    """

    retryable = False

    def __init__(self, kind: str, resource: str, operation: str, code: str, message: str = "") -> None:
        self.kind = kind
        self.resource = resource
        self.operation = operation
        self.code = code
        self.message = message
        super().__init__(f"{operation} of {resource}: {code}" + (f": {message}" if message else ""))


class NotFound(ProviderError):
    """The thing is not, or no longer, there."""


class AlreadyExists(ProviderError):
    """The name is taken: by our own earlier call, or by somebody else's thing."""


class AccessDenied(ProviderError):
    """The role, a key policy or an organization's policy forbids the call."""


class CredentialsExpired(ProviderError):
    """The session's credentials are too old, and AWS did nothing. Another invocation has new ones."""

    retryable = True


class QuotaReached(ProviderError):
    """The account may not have more of these until some are gone or the quota is raised."""


class KeyUnusable(ProviderError):
    """The KMS key is not there, disabled, or its policy does not let the caller use it."""


class Unprepared(ProviderError):
    """The resource lacks what the call needs. The message is a sentence that says what a person must do."""


class OutOfReach(ProviderError):
    """What was asked for lies before what AWS can still give."""


class Throttled(ProviderError):
    """AWS asked us to slow down, and did nothing."""

    retryable = True


class CopySlotsFull(Throttled):
    """As many copies are on their way to the Region as the account may have there."""


class NotReady(ProviderError):
    """The thing is busy: being created, modified, backed up or deleted."""

    retryable = True


class NoAnswer(ProviderError):
    """No answer came, or a server error: whether the call took effect is not known."""

    retryable = True
