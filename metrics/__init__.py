"""Events counted, exposed, told and shown.

Belongs here: listeners of coordination's events (`Ledger` counts, `LogLines` writes the log), what they feed
(the collector, the HTTP pages, dashboards, alerts), and the redaction of tokens. Does not belong here:
decisions, and anything that a framework or a store has to know of.

`onepoller.metrics.collector` needs prometheus_client and is imported by its users alone.
"""

from onepoller.metrics.http import MetricsServer
from onepoller.metrics.ledger import Ledger
from onepoller.metrics.logs import LogLines
from onepoller.metrics.output import configure_logging
from onepoller.metrics.redaction import install_redaction, redact, uninstall_redaction

__all__ = [
    "Ledger",
    "LogLines",
    "MetricsServer",
    "configure_logging",
    "install_redaction",
    "redact",
    "uninstall_redaction",
]
