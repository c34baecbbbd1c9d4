"""Reports: runs as one page to hand on, which needs nothing but a browser."""

from fedbench.reporting.report import ReportError, report

__all__ = ["ReportError", "report"]
