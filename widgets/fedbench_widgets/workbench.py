"""The workbench: a federation configured, trained and watched in one place."""

from __future__ import annotations

import itertools
import sys
import time
import traceback
import warnings
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from fedbench.experiment import Experiment
from fedbench.metrics import RoundRecord
from fedbench.runs import (
    Amended,
    Cautioned,
    Event,
    Failed,
    History,
    Session,
    SessionError,
    State,
    StateChanged,
)
from fedbench.runs.session import LIVE
from fedbench.scenarios import SCENARIOS, Scenario, digits
from fedbench.study.differences import at, differences
from fedbench_widgets.cells import close_all, made
from fedbench_widgets.clients import Clients
from fedbench_widgets.comparing import Comparing
from fedbench_widgets.dealing import Dealing
from fedbench_widgets.explaining import KNOWN
from fedbench_widgets.form import Form
from fedbench_widgets.levels import Levels
from fedbench_widgets.living import belongs_here, former, heard_of, in_notebook
from fedbench_widgets.panel import Panel
from fedbench_widgets.picture import (
    Run,
    Series,
    frontier,
    known,
    session_title,
    snapshot,
    status,
    tour,
)
from fedbench_widgets.preview import (
    Plan,
    crowd_hint,
    epsilon_plan,
    privacy_hint,
)
from fedbench_widgets.publisher import Publisher
from fedbench_widgets.sharing import Shared, deliver
from fedbench_widgets.sweeping import Sweeping
from fedbench_widgets.toolbar import Toolbar
from fedbench_widgets.warming import enter, leave, prepare, warm, warmed

if TYPE_CHECKING:
    import pandas as pd

    from fedbench.runs.predictions import Predictions

LOG_LINES = 500
NOWHERE = (
    "the workbench does not run in a plain script or terminal; open a notebook with "
    "`fedbench lab` or `make lab`, a web page with `fedbench app`, or run an experiment with "
    "`fedbench run`"
)
PATIENCE = 0.03  # seconds that the exact noise may take before a rough one is shown first


class Workbench(widgets.VBox):
    """Configure a federation, train it in the background and watch it live.

    `experiment` is what the form starts with, an experiment or a scenario; by default a first look
    at handwritten digits. Raises TypeError for anything else, such as a scenario's name.

    Running the cell again returns the same workbench, with the run that goes on and all runs that
    ended, also after the page was reloaded without being saved. With another `experiment`, or with
    `new=True`, it starts afresh and closes the workbench before.
    """

    _closing = True  # until there is something to close

    def __new__(
        cls, experiment: Experiment | Scenario | None = None, *, new: bool = False
    ) -> Workbench:
        """Return the workbench that the running cell made before, if it began with the same."""
        first = _experiment(experiment)
        found = None if new else former(lambda each: type(each) is cls and each._began_with(first))
        return super().__new__(cls) if found is None else found

    def __init__(
        self, experiment: Experiment | Scenario | None = None, *, new: bool = False
    ) -> None:
        if not self._closing:
            self._come_back()
            return
        start = digits if experiment is None else experiment
        first = self._first = _experiment(start)
        if not in_notebook():
            warnings.warn(NOWHERE, stacklevel=2)
        more = {start: None} if isinstance(start, Scenario) else {}
        scenarios = tuple(dict.fromkeys(SCENARIOS) | more)  # one of the person's own is the last
        self.session = Session(first)
        self._comparing = Comparing()
        self._begun = 0  # runs and resets so far
        self._version = itertools.count(1)
        self._log: list[dict[str, str]] = []
        self._series = Series(self.session.history)
        self._clients = Clients(self.session.history)
        self._written: Experiment | None = None  # what the Code tab shows
        # what the privacy hint speaks of, and what sweeps had told by then
        self._hinted: tuple[Experiment, int] | None = None
        self._hint_took = 0.0  # seconds, the last time
        self._plan: Plan | None = None  # ε to the end of what the session runs
        # what that plan was made for, and by which noise
        self._planned: tuple[Experiment, float | None] | None = None
        self._dealing = Dealing(self._fetched)
        self._levels = Levels(self._going, self._changed)
        self._sweeping = Sweeping(self._changed)
        self.toolbar = Toolbar()
        self.panel = Panel()
        self.form = Form(first, self._edited, self._choose, scenarios)
        body = made(widgets.Box, [self.form.widget, self.panel], classes=["fedbench-body"])
        super().__init__([self.toolbar, body], _dom_classes=("fedbench-workbench",))
        self.toolbar.on_msg(self._heard)
        self.panel.on_msg(self._heard)
        self._note("info", "Ready. Press Start.")
        self._show_session()
        self._publisher = Publisher(self._publish, self._beat, self._going)
        heard = weakref.WeakMethod(self._happened)
        self._unsubscribe = self.session.subscribe(lambda event: _pass_on(heard, event))
        self._closing = False
        enter(self)
        belongs_here(self)
        self._publisher.touch()
        warm(_touching(self._publisher))

    def _began_with(self, first: Experiment) -> bool:
        return not self._closing and self.comm is not None and self._first == first

    def _come_back(self) -> None:
        belongs_here(self)
        self._note(
            "info",
            "The cell was run again; its runs are kept. Workbench(new=True) starts afresh.",
        )
        self._publisher.touch()

    # For notebooks and scripts -------------------------------------------------------------------

    @property
    def experiment(self) -> Experiment | None:
        """Return what the form holds, None while something in it is wrong."""
        return self.form.experiment

    @experiment.setter
    def experiment(self, experiment: Experiment) -> None:
        self.form.write(experiment)
        self._edited()

    @property
    def history(self) -> History:
        """Return the history of the run that is shown."""
        return self.session.history

    @property
    def runs(self) -> list[Run]:
        """Return the runs that have ended, as the Compare tab lists them."""
        return self._comparing.runs

    def compare(self) -> pd.DataFrame:
        """Return the table of the Compare tab; see `Comparing.frame` for its columns."""
        return self._comparing.frame(self.session)

    def start(self) -> None:
        """Start a run of what the form holds; after a run that ended, a new one.

        Raises SessionError while a run goes on or while something in the form is wrong.
        """
        self._fresh()
        self.session.start()

    def wait(self, timeout: float | None = None) -> State:
        """Block until the run pauses or ends; in a notebook rather `await wb.wait_async()`."""
        return self.session.wait(timeout)

    async def wait_async(self, timeout: float | None = None) -> State:
        """Wait until the run pauses or ends while the workbench goes on answering."""
        return await self.session.wait_async(timeout)

    def close(self) -> None:
        """Stop the run and the workbench's thread, and remove its widgets.

        Worker processes end as soon as the run has, unless something else uses them.
        """
        if self._closing or sys.is_finalizing():  # the process ends: nothing is left to stop
            return
        self._closing = True
        self._unsubscribe()
        self.session.stop()
        leave(self)
        self._levels.close()
        self._sweeping.close()
        self._publisher.close()
        self.toolbar.status = {**self.toolbar.status, "closed": True}
        self.form.close()
        for child in self.children:
            close_all(child)
        self.layout.close()
        super().close()

    # From the browser ----------------------------------------------------------------------------

    def _heard(self, _: object, content: dict[str, Any], __: object) -> None:
        heard_of(self)
        if "ping" in content:
            self.toolbar.send({"pong": content["ping"]})
        try:
            if "command" in content:
                self._obey(str(content["command"]))
            elif "load" in content:
                self._load(str(content["load"]))
            elif "sweep" in content:
                self._sweeping.obey(content["sweep"], self.form.experiment)
            elif "levels" in content:
                self._levels.wanted = bool(content["levels"])
            elif "compare" in content:
                self._comparing.obey(content["compare"])
            elif "share" in content:
                shared = Shared(
                    self._comparing,
                    self.session,
                    self._sweeping.frontier(),
                    self._levels.found(self.session.experiment),
                )
                deliver(self.panel.send, content["share"], shared)
        except SessionError as error:  # a click that came too late or too early
            self._note("warning", str(error))
        except Exception as error:  # a click must never end in silence
            self._note("error", str(error), traceback.format_exc())
        self._touch_unless_closed("ping" not in content)

    def _obey(self, command: str) -> None:
        match command:
            case "start":
                self.start()
            case "step":
                if self.session.state != "paused":
                    self._fresh()
                self.session.step()
            case "pause" | "resume" | "stop":
                getattr(self.session, command)()
            case "reset":
                self._reset()
            case _:
                raise SessionError(f"no such command: {command!r}")

    def _load(self, point: str) -> None:
        if self._going():
            raise SessionError("cannot load a run while another is active; stop or reset it first")
        experiment = self._comparing.experiment(point) or self._sweeping.experiment(point)
        self.experiment = experiment
        self._note("info", f"Loaded run {point}: {experiment.describe()}")

    def _choose(self, experiment: Experiment) -> None:
        """Put a scenario on the form, unless that would leave a run without what it is of."""
        if self._going():
            self._note(
                "warning",
                "cannot change the scenario while a run is active; stop or reset it first",
            )
            self._changed()
            return
        self.experiment = experiment
        self._note("info", f"Scenario: {self.form.scenario.summary} · {experiment.describe()}")

    def _edited(self) -> None:
        experiment = self.form.experiment
        if experiment is not None:
            if self._going():
                self._amend(experiment)
            elif self.session.state == "idle":
                self._reset()
        if not self._closing:
            self._publisher.touch(at_once=True)

    def _amend(self, wanted: Experiment) -> None:
        current = self.session.experiment
        changes = {path: at(wanted, path) for path in LIVE if at(wanted, path) != at(current, path)}
        if changes:
            self.session.amend(**changes)

    # The session ---------------------------------------------------------------------------------

    def _fresh(self) -> None:
        if self.form.experiment is None:
            raise SessionError(f"a setting needs attention. {self.form.wrong}")
        if self._trouble:
            raise SessionError(self._trouble)
        if not self._going():
            self._reset()
            self._sweeping.latest = False

    def _reset(self) -> None:
        self.session.reset(self.form.experiment)
        self._comparing.release()
        self._series = Series(self.session.history)
        self._clients = Clients(self.session.history)
        self._begun += 1

    def _happened(self, event: Event) -> None:
        match event:
            case StateChanged(state, reason):
                self._ended(state, reason)
            case Cautioned(text):
                if not text.startswith("data: ") or text in known(self.session.experiment):
                    self._note("warning", text)
            case Amended(round, changes):
                words = ", ".join(f"{path} = {value}" for path, value in changes.items())
                self._note("info", f"From round {round} on: {words}")
            case Failed(message, detail):
                self._note("error", message, detail)
            case RoundRecord():
                pass  # the history has it
        self._publisher.touch()

    def _ended(self, state: State, reason: str) -> None:
        history = self.session.history
        if state == "running" and not len(history):
            experiment = self.session.experiment
            words = session_title(experiment), experiment.model.kind(), experiment.describe()
            self._note("info", f"Started: {' · '.join(words)}")
        if state == "done" and len(history):
            self._comparing.add(history)
        if state in ("paused", "done"):
            why = f": {reason}" if reason else ""
            self._note("info", f"{state.capitalize()} after round {len(history)}{why}")

    # To the browser: kernel-only traits, set by the publisher's thread ---------------------------

    def _publish(self) -> None:
        try:
            self._show_session()
            self._show_form()
        except Exception as error:  # the thread must go on: the next state may be sound
            trouble = f"the page may be outdated: {error}"
            if not any(line["text"] == trouble for line in self._log):
                self._note("error", trouble, traceback.format_exc())
                self._publisher.touch()

    def _show_form(self) -> None:
        experiment = self.form.experiment
        if experiment is None:
            if any(each.path.partition(".")[0] == "data" for each in self.form.problems):
                self._dealing.show_none(self.form.map)  # it would show the data before
            return
        if self._dealing.show(experiment, self.form.map, self.form.design):
            self._publisher.touch()
        # What takes longest comes last, and never before a run's first round.
        session = self.session
        if not warmed() or (session.state == "running" and not len(session.history)):
            return
        # Of this experiment: the form may show another by now. A hint may need the data.
        if self._dealing.trouble(experiment):
            return
        known = experiment, self._sweeping.news
        if known != self._hinted:
            edited = self._hinted is None or self._hinted[0] != experiment
            self._hint(experiment)
            if edited:  # news of a sweep ask for no workers: it has every core
                prepare(self, experiment)
        planned = session.experiment, session.history.noise_multiplier
        if planned != self._planned:
            self._planned, self._plan = planned, epsilon_plan(*planned)
            self._publisher.touch()

    @property
    def _trouble(self) -> str:
        """Return why the data on the form cannot be dealt out, if that is known of these."""
        return self._dealing.trouble(self.form.experiment)

    def _hint(self, experiment: Experiment) -> None:
        """Say what the privacy settings mean: at once if need be, exactly unless they move on."""
        if self._hint_took > PATIENCE:
            self.form.hint.value = privacy_hint(experiment, rough=True)
            if self._publisher.pending:
                return
        began = time.perf_counter()
        hint = privacy_hint(experiment) + crowd_hint(experiment)
        self.form.hint.value = hint + self._sweeping.expected(experiment)
        self._hint_took = time.perf_counter() - began
        self._hinted = experiment, self._sweeping.news

    def _show_session(self) -> None:
        session = self.session
        series = self._series.points()
        experiment = self.form.experiment
        # a plan of another experiment would promise something else, and spoil the scale
        plan = self._plan if self._planned and self._planned[0] == session.experiment else None
        levels = self._levels.found(session.experiment)
        clients, values, mixes = self._clients.shown(
            session.state in ("running", "stopping"), levels, self._predictions
        )
        with self.panel.hold_sync():
            self.panel.series = series.tobytes()
            self.panel.snapshot = {
                **snapshot(session, len(series), plan),
                "levels": self._levels.shown(session.experiment),
                "version": next(self._version),
                "run": self._begun,
            }
            self.panel.clients, self.panel.values, self.panel.mixes = clients, values, mixes
            names = self._comparing.names(self.runs)
            self.panel.frontier = frontier(self.runs, session, self._comparing.colors(), names)
            self.panel.compare = self._comparing.shown(session)
            self.panel.pins = self._comparing.pins()
            self.panel.sweep = self._sweeping.shown(experiment)
            self.panel.log = self._log[-LOG_LINES:]
            if experiment is not None and experiment is not self._written:
                self._written = experiment
                self.panel.code = {
                    "python": experiment.to_python(),
                    "toml": experiment.to_toml(),
                    "replays": "yes" if experiment.replays else "no",
                }
        wrong, at = self.form.wrong, next((each.path for each in self.form.problems), "")
        if len(KNOWN) != len(self.toolbar.help):
            self.toolbar.help = dict(KNOWN)
        self.toolbar.status = {
            **status(session, experiment, self._pending(), wrong or self._trouble, at),
            "tour": {
                **tour(self._begun, experiment, session.experiment),
                "runs": len(self._comparing.runs),
            },
        }

    def _predictions(self) -> Predictions | None:
        try:
            return self.session.predictions()
        except SessionError:  # a round goes on, or there was none
            return None

    def _beat(self) -> None:
        self.toolbar.send({"beat": len(self.session.history)})

    def _going(self) -> bool:
        return self.session.state in ("running", "paused", "stopping")

    def _pending(self) -> list[str]:
        wanted, current = self.form.experiment, self.session.experiment
        if wanted is None or not self._going():
            return []
        return [path for path in differences([wanted, current]) if path not in LIVE]

    def _note(self, level: str, text: str, detail: str = "") -> None:
        line = {"time": time.strftime("%H:%M:%S"), "level": level, "text": text}
        self._log.append(line)
        if detail:
            self._log.append({**line, "text": detail.rstrip()})

    def _fetched(self) -> None:
        self.form.mark_downloads()
        self._changed()

    def _changed(self) -> None:
        self._touch_unless_closed(True)

    def _touch_unless_closed(self, changed: bool) -> None:
        if changed and not self._closing:
            self._publisher.touch()

    def __repr__(self) -> str:
        """Name the widget only: this is its text/plain, which saved notebooks compare."""
        return "fedbench workbench"


def _experiment(given: Experiment | Scenario | None) -> Experiment:
    """Return the experiment that a workbench is to start with."""
    start = digits if given is None else given
    first = start() if isinstance(start, Scenario) else start
    if not isinstance(first, Experiment):
        raise TypeError(_no_experiment(first))
    return first


def _no_experiment(given: object) -> str:
    """Return what to do instead of giving this."""
    said = f"experiment = {given!r}: a workbench takes an Experiment or a Scenario"
    if not any(given == scenario.name for scenario in SCENARIOS):
        return said
    return f"{said}; write `from fedbench.scenarios import {given}` and `Workbench({given})`"


def _touching(publisher: Publisher) -> Callable[[], None]:
    # Only weakly: a workbench that is gone has nothing to publish.
    held = weakref.WeakMethod(publisher.touch)

    def touch() -> None:
        call = held()
        if call is not None:
            call()

    return touch


def _pass_on(method: weakref.WeakMethod[Any], event: Event) -> None:
    call = method()
    if call is not None:
        call(event)
