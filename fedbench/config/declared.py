"""What classes declare about privacy: a proof rests on methods, and who overrides one may break it.

A class of a family says `keeps_privacy: ClassVar[bool] = True` where its methods keep what the base
class of the family demands. The declaration holds for the methods of its own class and of the
classes that it inherits from, which its author knew. A subclass that overrides none of them
inherits it, any other has to declare it anew; so does one that mixes in another class with such
methods, in whatever order, and one below a class that took it back by `keeps_privacy = False`.
"""

from __future__ import annotations

from dataclasses import dataclass

from fedbench.config.kinds import is_user_class
from fedbench.config.spec import Part


@dataclass(frozen=True)
class Claim:
    """What `keeps_privacy` says of the classes of a family, which has it as `privacy_claim`.

    `members` are the methods and class variables on which the proof rests, `risk` is what a class
    may do that overrides one, `remedy` what to choose in its place.
    """

    members: tuple[str, ...]
    risk: str
    remedy: str


def undeclared(part: Part, **words: str) -> str | None:
    """Return why a part is not known to keep privacy, or None: what it may do, and a remedy.

    `words` fill the {gaps} of the family's claim.
    """
    classes = type(part).__mro__
    # the family itself: a class may hide its claim, but not answer to another one
    base = next(cls for cls in reversed(classes) if "privacy_claim" in vars(cls))
    claim: Claim = vars(base)["privacy_claim"]
    risk, remedy = claim.risk.format(**words), claim.remedy.format(**words)
    declaring = [cls for cls in classes if vars(cls).get("keeps_privacy")]
    for cls in classes:
        if issubclass(base, cls) or any(issubclass(each, cls) for each in declaring):
            continue
        own = [name for name in claim.members if name in vars(cls)]
        if not own and "keeps_privacy" not in vars(cls):
            continue
        name, at_fault = type(part).__name__, type(part)
        if own and is_user_class(cls):
            called = "()" if callable(getattr(part, own[0])) else ""
            name, at_fault = f"{own[0]}{called} of {cls.__name__}", cls
        return (
            f"{name} may {risk}; {remedy}, or set keeps_privacy = True in {at_fault.__name__} if "
            f"it keeps what {base.__name__}.keeps_privacy says"
        )
    return None
