"""The channel: what happens to an update on its way from a client to the server."""

from fedbench.channel.pipeline import Pipeline, ServerStates
from fedbench.channel.stage import Encoded, Receiving, Sending, Stage

__all__ = ["Encoded", "Pipeline", "Receiving", "Sending", "ServerStates", "Stage"]
