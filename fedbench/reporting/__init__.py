"""Reports: runs as one page to hand on, which needs nothing but a browser."""

from fedbench.reporting.report import ReportError, refuse_others, report

__all__ = ["ReportError", "refuse_others", "report"]
