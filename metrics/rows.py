"""What the dashboard shows, row by row. Data only; `dashboard` makes JSON of it."""

from __future__ import annotations

from onepoller.metrics.panels import (
    BOT,
    SELECTOR,
    WINDOW,
    Query,
    Row,
    heatmap,
    lines,
    quantiles,
    series,
    stat,
    states,
    table,
)


def _by(label: str, metric: str) -> str:
    return f"sum by ({label}) (increase({metric}{{{SELECTOR}}}{WINDOW}))"


def _rate(metric: str) -> str:
    return f"sum by (bot_id) (rate({metric}{{{BOT}}}{WINDOW}))"


_HELD = f"sum by (job, bot_id) (onepoller_claim_held{{{BOT}}})"
_LAST_POLL = f"max by (job, bot_id) (onepoller_last_successful_poll_timestamp_seconds{{{BOT}}} > 0)"
_EPISODES = f"sum by (job, bot_id) (increase(onepoller_bot_conflicts_total{{{BOT}}}[$__range]))"

NOW = Row(
    title="Now",
    panels=(
        stat(
            "Bots without a poller",
            f"count({_HELD} == 0) or vector(0)",
            "Bots that instances know of and whose claim nobody holds.",
        ),
        stat(
            "Bots with two pollers",
            f"count({_HELD} > 1) or vector(0)",
            "Bots whose claim two processes hold. A moment of it is the time between two scrapes.",
        ),
        stat(
            "Open conflicts",
            f"sum(onepoller_conflicts_open{{{SELECTOR}}})",
            "Conflict episodes that go on now.",
        ),
        stat(
            "Longest without a poll",
            f"max(time() - {_LAST_POLL})",
            "Since Telegram last answered a poll with 200, of the bot that is worst off.",
            unit="s",
            is_bad=False,
        ),
        stat(
            "Store in trouble",
            f"max(onepoller_store_trouble{{{SELECTOR}}})",
            "1 while a process says that its store is not well.",
        ),
        stat(
            "Bots",
            f"count({_HELD}) or vector(0)",
            "Bots that at least one process guards.",
            is_bad=False,
        ),
        series(
            "Bots by role",
            f"sum by (role) (onepoller_bots{{{SELECTOR}}})",
            "{{role}}",
            "A bot counts once for each process that guards it.",
        ),
        series(
            "Bots with a problem",
            f"sum by (problem) (onepoller_bots_with_problem{{{SELECTOR}}})",
            "{{problem}}",
            "What is wrong, whatever the number of bots.",
        ),
        table(
            "Problems by bot",
            "Exists while the problem does; of 200 bots a process at most.",
            Query(f"onepoller_bot_problem{{{BOT}}}"),
        ),
    ),
)

CONFLICTS = Row(
    title="Conflicts",
    panels=(
        series(
            "Conflicts by kind",
            _by("kind", "onepoller_conflicts_total"),
            "{{kind}}",
            "Episodes that began: from the first 409 until it is resolved.",
        ),
        series(
            "Open episodes by kind",
            f"sum by (kind) (onepoller_conflicts_open{{{SELECTOR}}})",
            "{{kind}}",
            "Episodes that go on.",
        ),
        series(
            "Resolutions",
            _by("kind, resolution", "onepoller_conflict_resolutions_total"),
            "{{kind}}: {{resolution}}",
            "How episodes ended.",
        ),
        series(
            "409 answers by kind",
            _by("kind", "onepoller_conflict_replies_total"),
            "{{kind}}",
            "Shows the server's pacing and our retries more than the trouble: count episodes. A ghost "
            "appears here alone.",
        ),
        series(
            "Looks for a rival",
            _by("look, outcome", "onepoller_looks_total"),
            "{{look}}: {{outcome}}",
            "A probe that ends with updates or a conflict has met somebody. They are not among the polls.",
        ),
        heatmap(
            "Duration of episodes",
            "onepoller_conflict_duration_seconds",
            "How long episodes that ended had lasted.",
        ),
        table(
            "Bots with the most episodes",
            "The ten bots with the most conflict episodes in the time shown.",
            Query(f"topk(10, {_EPISODES} > 0)"),
        ),
    ),
)

OWNERSHIP = Row(
    title="Who polls",
    panels=(
        states(
            "Who holds the claim",
            "One line for each bot and process; green where it polls.",
            Query(f"onepoller_claim_held{{{BOT}}}", "{{bot_id}} {{instance}}"),
        ),
        states(
            "Role of each bot",
            "The role in which each process is; only from processes with up to 1,000 bots.",
            Query(
                f"sum by (bot_id, instance, onepoller_bot_role) (onepoller_bot_role{{{BOT}}}) == 1",
                "{{bot_id}} {{instance}} {{onepoller_bot_role}}",
            ),
        ),
        series(
            "Claim events",
            _by("event", "onepoller_claim_events_total"),
            "{{event}}",
            "What happened to claims, as each process saw it.",
        ),
        quantiles(
            "Takeover time",
            "onepoller_takeover_duration_seconds",
            "cause",
            "From the decision to take a claim to the start of its first poll.",
        ),
        heatmap(
            "Takeovers",
            "onepoller_takeover_duration_seconds",
            "The same, every takeover: quantiles of few mislead.",
        ),
        series(
            "Age of claims",
            f"time() - max by (bot_id) (onepoller_claim_acquired_timestamp_seconds{{{BOT}}} > 0)",
            "{{bot_id}}",
            "A saw tooth is a claim that goes to and fro.",
            unit="s",
        ),
        series(
            "Claims got",
            f"sum by (bot_id) (increase(onepoller_bot_claim_acquisitions_total{{{BOT}}}{WINDOW}))",
            "{{bot_id}}",
            "How often a bot changed hands.",
        ),
        series(
            "Term",
            f"max by (bot_id) (onepoller_claim_term{{{BOT}}})",
            "{{bot_id}}",
            "The fencing number of the claim. It never goes back; a step down is a store that was replaced.",
            unit="none",
        ),
        series(
            "Share of time in standby",
            f"sum by (bot_id, instance) (rate(onepoller_bot_standby_seconds_total{{{BOT}}}{WINDOW}))",
            "{{bot_id}} {{instance}}",
            "1 is a standby all the time.",
            unit="percentunit",
        ),
    ),
)

POLLING = Row(
    title="Polling",
    panels=(
        series(
            "Polls by outcome",
            f"sum by (outcome) (rate(onepoller_polls_total{{{SELECTOR}}}{WINDOW}))",
            "{{outcome}}",
            "getUpdates calls at Telegram that ended.",
            unit="reqps",
        ),
        quantiles(
            "Duration of polls", "onepoller_poll_duration_seconds", "result", "The wait for updates included."
        ),
        lines(
            "Network part of empty polls",
            "Time beyond the timeout that was asked for.",
            Query(
                "histogram_quantile(0.95, sum by (le) "
                f"(rate(onepoller_poll_overrun_seconds_bucket{{{SELECTOR}}}{WINDOW})))",
                "p95",
            ),
            unit="s",
        ),
        series(
            "Since the last good poll",
            f"time() - {_LAST_POLL}",
            "{{bot_id}}",
            "A healthy bot stays below its timeout.",
            unit="s",
        ),
        lines(
            "Updates",
            "Brought by polls, and those that were not handed over: Telegram keeps them.",
            Query(f"sum(rate(onepoller_updates_received_total{{{SELECTOR}}}{WINDOW}))", "received"),
            Query(
                f"sum by (reason) (rate(onepoller_updates_dropped_total{{{SELECTOR}}}{WINDOW}))",
                "dropped: {{reason}}",
            ),
        ),
        lines(
            "Gaps in update_id",
            "Somebody else may consume updates; the only sign of a rival that polls without waiting.",
            Query(f"sum(increase(onepoller_update_gaps_total{{{SELECTOR}}}{WINDOW}))", "gaps"),
            Query(f"sum(increase(onepoller_updates_missed_total{{{SELECTOR}}}{WINDOW}))", "updates missed"),
            Query(
                f"sum(increase(onepoller_updates_repeated_total{{{SELECTOR}}}{WINDOW}))",
                "updates repeated",
            ),
        ),
        series(
            "Gaps by bot",
            f"sum by (bot_id) (increase(onepoller_bot_update_gaps_total{{{BOT}}}{WINDOW}))",
            "{{bot_id}}",
            "The same, bot by bot.",
        ),
        series(
            "Polls by bot", _rate("onepoller_bot_polls_total"), "{{bot_id}}", "Polls a second.", unit="reqps"
        ),
        lines(
            "Updates by bot",
            "Updates a second.",
            Query(_rate("onepoller_bot_updates_received_total"), "{{bot_id}} received"),
            Query(_rate("onepoller_bot_updates_dropped_total"), "{{bot_id}} dropped"),
        ),
    ),
)

PROCESS = Row(
    title="Store and process",
    panels=(
        series(
            "Store operations",
            f"sum by (operation) (rate(onepoller_store_requests_total{{{SELECTOR}}}{WINDOW}))",
            "{{operation}}",
            "All of them, those that failed too.",
            unit="ops",
        ),
        series(
            "Store failures",
            _by("operation", "onepoller_store_request_failures_total"),
            "{{operation}}",
            "Operations that failed.",
        ),
        quantiles(
            "Store time", "onepoller_store_request_duration_seconds", "operation", "How long operations took."
        ),
        lines(
            "Heartbeats",
            "Of the session, which carries every claim of the process.",
            Query(
                f"sum by (instance) (rate(onepoller_heartbeats_total{{{SELECTOR}}}{WINDOW}))",
                "{{instance}}",
            ),
            Query(
                f"sum by (instance) (rate(onepoller_heartbeat_failures_total{{{SELECTOR}}}{WINDOW}))",
                "{{instance}} failed",
            ),
        ),
        series(
            "Certainty of claims",
            f"sum by (instance, certainty) (onepoller_claims{{{SELECTOR}}}) > 0",
            "{{instance}} {{certainty}}",
            "Uncertain: a heartbeat failed. Lost: they failed until the deadline.",
        ),
        heatmap(
            "Share of the lease left",
            "onepoller_heartbeat_margin_ratio",
            "When a heartbeat succeeded. Towards 0 the next delay loses the session.",
        ),
        lines(
            "Sessions",
            "A session that is lost takes its claims with it.",
            Query(_by("instance", "onepoller_sessions_opened_total"), "{{instance}} opened"),
            Query(_by("instance", "onepoller_sessions_lost_total"), "{{instance}} lost"),
        ),
        lines(
            "Interventions",
            "Claims given up because a framework stalled, tokens refused, start-up calls answered here.",
            Query(f"sum(increase(onepoller_stalls_total{{{SELECTOR}}}{WINDOW}))", "stalls"),
            Query(f"sum(increase(onepoller_tokens_refused_total{{{SELECTOR}}}{WINDOW}))", "tokens refused"),
            Query(_by("answer", "onepoller_webhook_calls_guarded_total"), "{{answer}}"),
        ),
        lines(
            "Limits",
            "The lease and the longest poll timeout: the alert rules follow them.",
            Query(f"max by (instance) (onepoller_lease_ttl_seconds{{{SELECTOR}}})", "{{instance}} lease"),
            Query(
                f"max by (instance) (onepoller_poll_timeout_seconds{{{SELECTOR}}})",
                "{{instance}} timeout",
            ),
            unit="s",
        ),
        series(
            "Cost of a scrape",
            f"max by (instance) (onepoller_collect_duration_seconds{{{SELECTOR}}})",
            "{{instance}}",
            "How long the process takes to write its metrics.",
            unit="s",
        ),
        table(
            "Versions, stores, detail",
            "What runs where.",
            Query(f"onepoller_build_info{{{SELECTOR}}}"),
            Query(f"onepoller_store_info{{{SELECTOR}}}"),
            Query(f"onepoller_metrics_detail_level{{{SELECTOR}}} == 1"),
            width=16,
        ),
    ),
)

ROWS = (NOW, CONFLICTS, OWNERSHIP, POLLING, PROCESS)
