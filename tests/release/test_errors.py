import re

from release import errors


def tree() -> dict[str, int]:
    return {name: int(code) for name, code in re.findall(r"(\w+)\s+(\d+)   ", errors.__doc__ or "")}


def test_the_tree_in_the_module_is_the_tree_in_the_code() -> None:
    found = {
        name: kind.code
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.ReleaseError)
    }
    assert tree() == found


def test_only_refusals_share_an_exit_code() -> None:
    codes = [code for name, code in tree().items() if name != "InProgress"]
    assert len(codes) == len(set(codes))
    assert not {errors.PROMOTED, 2, 130} & set(codes)
