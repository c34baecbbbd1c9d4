"""Load what training needs while a person still looks at the form."""

from __future__ import annotations

import gc
import importlib
import threading
import weakref
from collections.abc import Callable

import numpy as np

from fedbench.engine import StackedEngine
from fedbench.engine.pool import close_workers, pool
from fedbench.engine.processes import cores
from fedbench.experiment import Experiment

WORTH = 2e9  # operations of a round from which on the engine will want workers
PER_WEIGHT = 6  # operations for an example and a weight: one forward pass and two backward
QUIET = 0.5  # seconds without an edit: a slider that is dragged starts nothing on its way

_lock = threading.Lock()
_begun = False
_loaded = threading.Event()
_waiting: list[Callable[[], None]] = []


def warm(then: Callable[[], None] | None = None) -> None:
    """Import torch and the accounting in the background, once per process; then call `then`."""
    global _begun
    with _lock:
        if then is not None and not _loaded.is_set():
            _waiting.append(then)
            then = None
        begin, _begun = not _begun, True
    if begin:
        threading.Thread(target=_load, name="fedbench-warm", daemon=True).start()
    if then is not None:
        then()


def warmed() -> bool:
    """Return whether everything is loaded: from now on ε takes milliseconds, not a second."""
    return _loaded.is_set()


def _load() -> None:
    # An import makes nothing but long-lived objects: looking for garbage among them costs a sixth.
    collecting = gc.isenabled()
    gc.disable()
    try:
        importlib.import_module("dp_accounting")
        importlib.import_module("fedbench.runs.rounds")
    finally:
        if collecting:
            gc.enable()
        with _lock:
            _loaded.set()
            calls = list(_waiting)
            _waiting.clear()
    for call in calls:
        call()


# Worker processes ------------------------------------------------------------------------------

# How many workers each open workbench wants, None while that is not known yet.
_wanted: weakref.WeakKeyDictionary[object, int | None] = weakref.WeakKeyDictionary()
_started: set[int] = set()  # sizes of the pools that were started here
_left = False  # a workbench was closed, and nobody has seen to its workers yet
_state = threading.Lock()  # of these three; never held for long
_attending = threading.Lock()
_timer: threading.Timer | None = None


def enter(owner: object) -> None:
    """Note that `owner` is open: it may come to want workers."""
    with _state:
        _wanted[owner] = None


def prepare(owner: object, experiment: Experiment) -> None:
    """Start the workers that a run of `experiment` will use, once no other is asked for.

    It imports torch: not for the thread of the page.
    """
    global _timer
    size = pool_size(experiment)
    with _state:
        if owner not in _wanted:
            return  # closed meanwhile
        _wanted[owner] = size
        if _timer is not None:
            _timer.cancel()
        _timer = threading.Timer(QUIET, _attend)
        _timer.name, _timer.daemon = "fedbench-workers", True
        _timer.start()


def leave(owner: object) -> None:
    """Note that `owner` is closed; workers that nobody wants end with the round they are in.

    Returns at once. A run elsewhere that still used them goes on without, or starts new ones.
    """
    global _left
    with _state:
        _wanted.pop(owner, None)
        _left = True
    threading.Thread(target=_attend, name="fedbench-workers", daemon=True).start()


def dismiss() -> None:
    """End all workers once their rounds are through, as a sweep has other work for the cores.

    Returns at once. Each would hold some 180 MB meanwhile; the next run starts new ones.
    """
    threading.Thread(target=close_workers, name="fedbench-workers", daemon=True).start()


def pool_size(experiment: Experiment) -> int:
    """Return how many workers a run of `experiment` will use, as far as that can be told."""
    engine = experiment.engine
    if not isinstance(engine, StackedEngine) or engine.device != "cpu" or engine.workers == 0:
        return 0
    if engine.workers is not None:
        return engine.workers
    try:
        heavy = cores() > 1 and _heavy(experiment)
    except Exception:  # data or a model that cannot be had: the run will say why
        heavy = False
    return cores() if heavy else 0


def _heavy(experiment: Experiment) -> bool:
    from fedbench.engine.dense import layers

    data, training = experiment.federation(), experiment.training
    module = experiment.model.template(data.card)
    if layers(module, data.card.shape) is None:
        return True
    widths, steps = data.lengths(
        np.arange(data.clients),
        batch_size=training.batch_size,
        epochs=training.epochs,
        steps=training.steps,
    )
    trainings = 1 if experiment.strategy.companion() is None else 2
    samples = float((widths * steps).sum()) * experiment.sampling_rate * trainings
    weights = sum(leaf.numel() for leaf in module.parameters())
    return samples * weights * PER_WEIGHT >= WORTH


def _attend() -> None:
    """Start the workers that are wanted; end them all where some are not."""
    global _left, _started
    with _attending:
        with _state:
            sizes = list(_wanted.values())
            wanted = {size for size in sizes if size}
            surplus = False
            if None not in sizes:  # else a new workbench will attend to what an old one left
                surplus, _left = bool(_started - wanted) or (_left and not wanted), False
        if surplus:
            close_workers()
            _started = set()
        for size in wanted:
            pool(size)
        _started |= wanted
