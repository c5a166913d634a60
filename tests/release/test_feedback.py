import json
from typing import Any

import pytest

from release.feedback import messages

USER = {"role": "user", "content": "a"}
SYSTEM = {"role": "system", "content": "b"}


@pytest.mark.parametrize(
    ("kept", "found"),
    [
        ([USER], [USER]),
        ({"input": "a", "instructions": "b"}, [SYSTEM, USER]),
        ({"input": [USER], "instructions": "b"}, [SYSTEM, USER]),
        ({"input": "a"}, [USER]),
        ({"name": "a text that is JSON"}, None),
        (["a", "b"], None),
        ([], None),
        (17, None),
    ],
)
def test_a_chat_is_told_from_a_text(kept: Any, found: Any) -> None:
    assert messages(json.dumps(kept)) == found


def test_a_text_is_no_chat() -> None:
    assert messages("2+2=") is None
