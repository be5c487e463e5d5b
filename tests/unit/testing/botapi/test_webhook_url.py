"""What addresses of webhooks are accepted."""

from __future__ import annotations

import pytest

from onepoller.testing.botapi.webhook_url import WebhookUrl, objection, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://a.example/x", WebhookUrl(scheme="https", host="a.example", port=443)),
        ("a.example", WebhookUrl(scheme="https", host="a.example", port=443)),
        ("HTTP://a.example:8080?x", WebhookUrl(scheme="http", host="a.example", port=8080)),
        ("http://u:p@a.example", WebhookUrl(scheme="http", host="a.example", port=80)),
        ("https://[2001:db8::1]:88/", WebhookUrl(scheme="https", host="[2001:db8::1]", port=88)),
        ("ftp://x", None),
        ("https://", None),
        ("https://a b/", None),
        ("https://a:99999/", None),
        ("https://a:x/", None),
    ],
)
def test_addresses(text: str, expected: WebhookUrl | None) -> None:
    """Two schemes, a host, a port; https if none is named."""
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "ip", "reason"),
    [
        ("https://a.example", "", ""),
        ("http://a.example", "", "An HTTPS URL must be provided for webhook"),
        ("https://a.example:8080", "", "Webhook can be set up only on ports 80, 88, 443 or 8443"),
        ("https://127.0.0.1", "", "IP address 127.0.0.1 is reserved"),
        ("https://a.example", "10.0.0.1", "IP address 10.0.0.1 is reserved"),
        ("https://[2001:db8::1]", "", "IPv6-only addresses are not allowed"),
        ("https://8.8.8.8", "", ""),
    ],
)
def test_objections(text: str, ip: str, reason: str) -> None:
    """What verification would find without a network."""
    url = parse(text)
    assert url is not None

    assert objection(url, ip=ip) == reason
