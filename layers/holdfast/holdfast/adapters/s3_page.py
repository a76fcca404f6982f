"""The page that people look at: one object in the report bucket, written over each time."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from holdfast.adapters.s3_documents import S3Documents
from holdfast.core.posture import Posture

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KEY = "page/index.html"


class S3Page:
    """`render` makes the whole page, which is UTF-8 and needs nothing from outside."""

    def __init__(self, *, client: "S3Client", bucket: str, render: Callable[[Posture], str]) -> None:
        self._documents = S3Documents(client=client, bucket=bucket)
        self._render = render

    @property
    def address(self) -> str:
        return self._documents.address(KEY)

    def write(self, posture: Posture) -> None:
        self._documents.put(
            KEY,
            self._render(posture).encode(errors="replace"),  # half of a character, in somebody's JSON
            content_type="text/html; charset=utf-8",
            cache_control="no-cache",  # whoever looks wants today's
        )
