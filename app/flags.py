"""Feature flags and variants: a file in flagd's format, evaluated by OpenFeature's own evaluator for it.

That evaluator alone: OpenFeature's client keeps its providers in a global registry, where two gateways of one process
would meet, and flagd's provider brings grpcio and looks at a file's time, which a swapped link need not change.

`variant`         an object per variant: what it changes in a request (see `variant.Change`)
`canary-first`    a boolean: whoever gets true is on the canary as soon as it takes users, before their place comes
TOGGLES           booleans that switch a part of the gateway, for everybody
"""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.contrib.tools.flagd.core.targeting.targeting import OPERATORS
from openfeature.exception import OpenFeatureError
from pydantic import ValidationError

from app import prompts
from app.errors import first_wrong
from app.person import Person
from app.prompts import Prompts
from app.variant import NONE, UNCHANGED, Change

VARIANT, FIRST = "variant", "canary-first"
TOGGLES = ("rescue", "output-checks", "feedback", "samples")
# `log` would write into our log what a request says of its user
KNOWN = set(OPERATORS) - {"log"} | {"if", "?:", "and", "or", "filter", "map", "reduce", "all", "some", "none", "$ref"}
MALFORMED = (OpenFeatureError, TypeError, AttributeError, KeyError, ValueError, RecursionError)
NAME_MOST = 64  # characters: a variant's name is a header and a column


@dataclass(frozen=True)
class Chosen:
    """What the flag `variant` says of one person."""

    name: str = NONE
    change: Change = UNCHANGED


NOTHING = Chosen()


class Flags:
    """One file's flags.

    Raises:
        ValueError: it is not flagd's format, or a flag has values, or rules, that mean nothing here.
    """

    def __init__(self, document: dict[str, Any] | None = None, texts: Prompts | None = None) -> None:
        self.core, whole = FlagdCore(), document or {"flags": {}}
        try:
            self.core.set_flags(copy.deepcopy(whole))  # it changes what it gets
            self.flags = resolved(whole)
            for name, flag in self.flags.items():
                sensible(name, flag)
        except MALFORMED as error:
            raise ValueError(" ".join(str(error).split()) or "this is not flagd's format") from None
        self.variants = {name: Chosen(name, change(name, value, texts or {})) for name, value in self.values(VARIANT)}
        self.off = {name for name in TOGGLES if not self.true(name, Person(), default=True)}
        self.chosen(Person("anybody"))
        self.first(Person("anybody"))

    def values(self, flag: str) -> Iterator[tuple[str, Any]]:
        yield from self.flags.get(flag, {}).get("variants", {}).items()

    def on(self, toggle: str) -> bool:
        """Whether a part of the gateway is on; a toggle that the file does not have leaves it so."""
        return toggle not in self.off

    def chosen(self, person: Person, arm: str = "") -> Chosen:
        """The same for the same user on every replica."""
        if VARIANT not in self.flags:
            return NOTHING
        try:
            found = self.core.resolve_object_value(VARIANT, {}, person.context(arm))
        except MALFORMED:  # a rule that fails on what this person says of himself
            return self.default
        return self.variants.get(found.variant or "", NOTHING)

    @property
    def default(self) -> Chosen:
        """For whom no rule is asked: probes judge a release, and not a variant."""
        flag = self.flags.get(VARIANT, {})
        on = flag.get("state") == "ENABLED"
        return self.variants.get(flag.get("defaultVariant") or "", NOTHING) if on else NOTHING

    def first(self, person: Person) -> bool:
        return self.true(FIRST, person, default=False)

    def true(self, flag: str, person: Person, *, default: bool) -> bool:
        if flag not in self.flags:
            return default
        try:
            return self.core.resolve_boolean_value(flag, default, person.context()).value
        except MALFORMED:
            return default


def resolved(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The flags with their rules written out, where these refer to shared ones."""
    shared = document.get("$evaluators") or {}

    def written(found: Any) -> Any:
        if isinstance(found, dict):
            named = found.get("$ref") if set(found) == {"$ref"} else None
            if named is not None and named not in shared:
                raise ValueError(f"$evaluators has no {named}")
            return shared[named] if named is not None else {name: written(value) for name, value in found.items()}
        return [written(one) for one in found] if isinstance(found, list) else found

    flags: dict[str, dict[str, Any]] = written(document["flags"])
    return flags


def sensible(name: str, flag: dict[str, Any]) -> None:
    """Nothing, when the flag means something here."""
    if name not in (VARIANT, FIRST, *TOGGLES):
        raise ValueError(f"flag {name}: there is none of that name; those are {', '.join((VARIANT, FIRST, *TOGGLES))}")
    if long := [one for one in flag["variants"] if not (one.isascii() and one.isprintable() and len(one) <= NAME_MOST)]:
        raise ValueError(f"flag {name}: a variant's name is plain and at most {NAME_MOST} characters: {long[0]!r:.80}")
    if name != VARIANT and (odd := [one for one in flag["variants"].values() if not isinstance(one, bool)]):
        raise ValueError(f"flag {name}: {odd[0]!r} is neither true nor false")
    if (default := flag.get("defaultVariant")) and default not in flag["variants"]:
        raise ValueError(f"flag {name}: defaultVariant {default} is not one of its variants")
    if name in TOGGLES and flag.get("targeting"):
        raise ValueError(f"flag {name}: a toggle holds for everybody: take its targeting out")
    understood(name, flag.get("targeting") or {}, set(flag["variants"]))


def understood(name: str, rule: Any, variants: set[str]) -> None:
    """Nothing, when each operator of a rule exists and each share's variant too: else nobody would get it."""
    if isinstance(rule, list):
        for one in rule:
            understood(name, one, variants)
    if not isinstance(rule, dict):
        return
    for operator, values in rule.items():
        if operator not in KNOWN:
            raise ValueError(f"flag {name}: there is no operator {operator}")
        for share in values if operator == "fractional" and isinstance(values, list) else ():
            if isinstance(share, list) and share and isinstance(share[0], str) and share[0] not in variants:
                raise ValueError(
                    f"flag {name}: fractional gives a share to {share[0]}, which is not one of its variants"
                )
        understood(name, values, variants)


def change(name: str, value: Any, texts: Prompts) -> Change:
    try:
        if isinstance(value, dict) and "text" in value:
            raise ValueError(f"flag {VARIANT}, variant {name}: text: write it into the prompts file")
        found = Change.model_validate(value)
    except ValidationError as error:
        where, what = first_wrong(error)
        raise ValueError(f"flag {VARIANT}, variant {name}: {where or 'value'}: {what}") from None
    if found.prompt is None:
        return found
    if found.prompt not in texts:
        raise ValueError(f"flag {VARIANT}, variant {name}: the prompts file has no prompt {found.prompt}")
    return found.model_copy(update={"text": texts[found.prompt]})


def read(text: str, texts: Prompts) -> Flags:
    """The flags that a file holds, with the prompts that its variants name; ValueError in one line for bad ones."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("flags"), dict):
        raise ValueError("no object `flags`, as flagd's format wants it")
    return Flags(document, texts)


def loaded(path: Path, texts: Path | None = None) -> Flags:
    """The flags of a file, with the prompts of another. Raises as `read`, with the file named."""
    known = prompts.loaded(texts) if texts else {}
    try:
        return read(path.read_text(encoding="utf-8"), known)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from None
