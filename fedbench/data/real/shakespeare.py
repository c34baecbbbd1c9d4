"""What people say in Shakespeare's plays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from fedbench.data.card import Card, Task
from fedbench.data.files import File
from fedbench.data.real.columns import expect
from fedbench.data.source import Column, GivenSplit, Raw

CHARACTERS, DISTINCT, SPEECHES, SPEAKERS = 1_115_394, 65, 7220, 309
ALPHABET = "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LENGTH = 40
LEAST = 50  # characters of a speaker, so that there is something to learn and to test
KEPT = 268  # speakers who say so much


class TinyShakespeare(GivenSplit):
    """The next character of what a speaker says, 268 speakers of Shakespeare (Karpathy 2015).

    As in LEAF (Caldas et al. 2018, arXiv:1812.01097) a speaker is a client, and the last fifth of
    the speaker's text is the test set. A row is 40 characters; every `stride`-th character is a
    target; no test row contains a character that was trained on.
    """

    display: ClassVar[str] = "Tiny Shakespeare"

    task: ClassVar[Task] = "classification"
    shape: ClassVar[tuple[int, ...]] = (LENGTH,)
    vocabulary: ClassVar[tuple[int, ...]] = (DISTINCT + 1,)
    files: ClassVar[tuple[File, ...]] = (
        File(
            "tinyshakespeare/input.txt",
            1115394,
            "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            "https://raw.githubusercontent.com/karpathy/char-rnn/"
            "6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare/input.txt",
        ),
    )
    stride: Annotated[
        int,
        Field(
            ge=1,
            le=1000,
            title="Stride",
            description=(
                "distance in characters between one row and the next: larger makes fewer rows"
            ),
            json_schema_extra={"slider": [1, 50, 1], "unit": "characters"},
        ),
    ] = 8

    @property
    def overlap(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Return how many rows a character may be part of, as one to read or to predict."""
        return -(-(LENGTH + 1) // self.stride)

    @property
    def natural(self) -> Mapping[str, int]:
        """Return how many speakers there are."""
        return {"speaker": KEPT}

    def table(self) -> Raw:
        """Return windows of 40 ids, int64[N, 40], and the class of the character after each."""
        file = self.files[0]
        text = file.read().decode("ascii")
        expect(file, "characters", len(text), CHARACTERS)
        expect(file, "distinct characters", "".join(sorted(set(text))), ALPHABET)
        said, speeches = _by_speaker(text)
        expect(file, "speeches", speeches, SPEECHES)
        expect(file, "speakers", len(said), SPEAKERS)
        names = tuple(sorted(name for name, words in said.items() if len(words) >= LEAST))
        codes = np.zeros(128, dtype=np.int64)
        codes[[ord(each) for each in ALPHABET]] = np.arange(1, DISTINCT + 1)
        x, y, speaker, held = [], [], [], []
        for k, name in enumerate(names):
            ids = codes[np.frombuffer(said[name].encode("ascii"), dtype=np.uint8)]
            cut = round(len(ids) * 0.8)
            for part, test in ((ids[:cut], False), (ids[cut:], True)):
                padded = np.concatenate([np.zeros(LENGTH - 1, dtype=np.int64), part])
                windows = np.lib.stride_tricks.sliding_window_view(padded[:-1], LENGTH)
                # the first is one character among padding: what comes after it is told
                picked = slice((len(windows) - 1) % self.stride, None, self.stride)
                x.append(windows[picked])
                y.append(part[1:][picked] - 1)
                speaker.append(np.full(len(y[-1]), k))
                held.append(np.full(len(y[-1]), test))
        return Raw(
            self._card(),
            np.concatenate(x),
            np.concatenate(y),
            {"speaker": Column(names, np.concatenate(speaker))},
            held=np.concatenate(held),
        )

    def _card(self) -> Card:
        return Card(
            name="Tiny Shakespeare",
            source="Shakespeare's plays, as cut for char-rnn (Karpathy 2015)",
            licence="public domain",
            task=self.task,
            shape=self.shape,
            features=tuple(f"character {LENGTH - k} before" for k in range(LENGTH)),
            target="next character",
            classes=tuple(_shown(each) for each in ALPHABET),
            vocabulary=self.vocabulary,
            client="speaker",
            traps=(
                "the same name, such as First Citizen, speaks in several plays and is one client",
                "speakers differ a thousandfold in how much they say; those with fewer than "
                f"{LEAST} characters are left out",
                "some speakers appear under two spellings, such as Shepherd and Shepard",
            ),
        )


def _by_speaker(text: str) -> tuple[dict[str, str], int]:
    """Return what each speaker says, speeches joined by a line feed, and how many there are."""
    said: dict[str, list[str]] = {}
    counts: Counter[str] = Counter()
    name = ""
    for block in text.strip("\n").split("\n\n"):
        head, _, rest = block.partition("\n")
        if head.endswith(":"):
            name = head[:-1]
            counts[name] += 1
            said.setdefault(name, [])
            block = rest
        said[name].append(block)
    return {who: "\n".join(parts) for who, parts in said.items()}, counts.total()


def _shown(character: str) -> str:
    return {"\n": "line feed", " ": "space"}.get(character, character)
