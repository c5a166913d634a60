"""How many of each there are, of those that there are; a Counter finds and deletes its zeros in Python."""


def count(tally: dict[str, int], name: str, more: int) -> None:
    """So many more, or fewer; what is at nothing is not in it."""
    if now := tally.get(name, 0) + more:
        tally[name] = now
    else:
        tally.pop(name, None)
