"""How long copies take in the embedded cloud. moto's are there at once; see `slow_copies` for its side."""

import json
import urllib.request
from typing import Any

COPIES = "holdfast::copies"
"""What moto calls the states that copies and exports go through."""


def let_copies_take(moto: str, listings: int) -> None:
    """From now on, a copy that is begun is done when it is listed for the so-manieth time; 0: at once.

    `moto` is the URL of its server, which has a path for this.
    """
    slow: dict[str, Any] = {"progression": "manual", "times": listings}
    asked = {"model_name": COPIES, "transition": slow if listings else {"progression": "immediate"}}
    request = urllib.request.Request(  # noqa: S310
        f"{moto}/moto-api/state-manager/set-transition", data=json.dumps(asked).encode(), method="POST"
    )
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310
