import pytest
from starlette.datastructures import Headers

from app.errors import Refusal
from app.person import MOST, PROFILE_MOST, described


def test_headers_say_who_somebody_is() -> None:
    headers = Headers({"x-sluice-region": " eu ", "x-sluice-device": "phone", "x-sluice-profile": "plan=pro; beta;;"})

    context = described(headers, "ada", "team-a").context("stable")

    assert context.targeting_key == "ada"
    assert context.attributes == {
        "region": "eu",
        "device": "phone",
        "key": "team-a",
        "arm": "stable",
        "profile": {"plan": "pro", "beta": ""},
    }


def test_without_an_id_everybody_is_somebody_new() -> None:
    nobody = described(Headers({}), "", "")

    assert nobody.context().targeting_key != nobody.context().targeting_key


@pytest.mark.parametrize(
    ("name", "most"), [("x-sluice-region", MOST), ("x-sluice-device", MOST), ("x-sluice-profile", PROFILE_MOST)]
)
def test_a_header_that_says_too_much_is_refused(name: str, most: int) -> None:
    described(Headers({name: "x" * most}), "", "")
    with pytest.raises(Refusal, match=name):
        described(Headers({name: "x" * (most + 1)}), "", "")
