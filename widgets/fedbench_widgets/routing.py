"""A page's messages reach the kernel although another page was there before.

ipykernel 7.4 hands what a page sends to a widget to the subshell (a thread of the kernel) that
wrote to this widget last. A page that was reloaded has left such subshells: they are gone, and the
first clicks on the new page go with them, in silence.
"""

from __future__ import annotations

from typing import Any


def find_the_way() -> None:
    """Let messages to a subshell that is gone go where the page has sent them.

    Does nothing with a kernel that does not reroute messages.
    """
    from ipykernel.comm.comm import BaseComm

    route = getattr(BaseComm, "_reply_subshell_for", None)
    if route is None or getattr(route, "finds_the_way", False):
        return

    def found(comm: Any, data: object, asked: str | None) -> str | None:
        subshell = route(comm, data, asked)
        thread = getattr(comm.kernel, "shell_channel_thread", None)
        if subshell is None or thread is None or subshell in thread.manager.list_subshell():
            return subshell
        return asked

    found.finds_the_way = True  # pyright: ignore[reportFunctionMemberAccess]
    BaseComm._reply_subshell_for = found  # pyright: ignore[reportAttributeAccessIssue]
