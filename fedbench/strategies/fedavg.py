"""Federated averaging."""

from fedbench.strategies.strategy import Strategy


class FedAvg(Strategy):
    """Average the clients' locally trained models (McMahan et al. 2017, arXiv:1602.05629)."""
