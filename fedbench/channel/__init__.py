"""The channel: what happens to an update on its way from a client to the server."""

from fedbench.channel.stage import Encoded, Stage

__all__ = ["Encoded", "Stage"]
