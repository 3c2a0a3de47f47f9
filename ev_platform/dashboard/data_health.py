"""Page Data health: what the data engineer looks at: freshness, lag, what could not be read, what is missing, the bill.

Belongs here: layout. Rows come from operations.py and from results/data_quality and results/cleaning.
"""

from __future__ import annotations

import streamlit as st

from ev_platform.dashboard import charts, operations, period, questions, source
from ev_platform.dashboard.parts import count, empty, figures, note, say, table, title
from ev_platform.errors import UserError


def page() -> None:
    """The page."""
    title("Data health", "Is everything there, is it fresh, and what became of what could not be read.")
    letters, aside = source.from_lake(operations.dead_letters), source.from_lake(operations.quarantine)
    gaps, late = source.from_lake(operations.gaps), source.from_lake(operations.late_records)
    fresh = source.from_lake(operations.freshness)
    newest = source.from_lake(period.newest_day)
    figures(
        {
            "Newest day": (newest or "–", "with sessions"),
            "Dead letters": (
                count(letters["messages"].sum()),
                "messages that could not be read: `ev dead-letters`",
            ),
            "Quarantine": (count(len(aside)), "objects moved aside"),
            "Known gaps": (count(gaps["offsets"].sum()), "offsets that can never be read any more"),
            "Late records": (count(late["records"].sum()), "that came after their day, of the last receipts"),
        }
    )
    views = {
        "Vehicles and days": lambda: _quality(newest),
        "Nulls by reason": lambda: _cleaning(newest),
        "Freshness": lambda: table(fresh, "freshness"),
        "Kafka": _kafka,
        "Not readable": lambda: _unreadable(letters, aside),
        "Late and lost": lambda: _late(late, gaps),
        "Bill": _bill,
    }
    for tab, show in zip(
        st.tabs(list(views), key="view", bind="query-params", on_change="rerun"), views.values(), strict=True
    ):
        if tab.open:
            with tab:
                show()


def _quality(newest: str | None) -> None:
    span = period.choose(newest)
    if span is None:
        empty("No day has results yet.", "make demo")
        return
    days = source.ask(questions.QUALITY_BY_DAY, *span)
    left, right = st.columns(2)
    with left:
        chart = charts.series(days, "day", "coverage_percent", "mean coverage (% of the day)", x_title="day (UTC)")
        st.altair_chart(chart, key="coverage", alt="Mean coverage of vehicles per day")
    with right:
        chart = charts.bars(days, "day", "vehicles", "day (UTC)", "vehicles with data")
        st.altair_chart(chart, key="seen", alt="Vehicles with data per day")
    vehicles = source.ask(questions.QUALITY_BY_VEHICLE, *span)
    note("worst first")
    table(vehicles, "quality", "results_data_quality", lazy=len(vehicles) > 2000)


def _cleaning(newest: str | None) -> None:
    span = period.choose(newest)
    if span is None:
        empty("No day has been cleaned yet.", "make demo")
        return
    rules = source.ask(questions.CLEANING_BY_RULE, *span)
    if rules.empty:
        st.info("Cleaning changed nothing in these days.")
        return
    by_rule = rules.groupby("rule", as_index=False)["n"].sum().sort_values("n", ascending=False)
    chart = charts.bars(by_rule, "rule", "n", "rule (docs/rules)", "values changed, nulled, dropped or flagged")
    st.altair_chart(chart, key="rules", alt="Values that cleaning touched, by rule")
    table(rules, "cleaning", "results_cleaning")
    note("One value: `ev explain VIN --at TIME` shows it raw, cleaned, and the rule.")


def _kafka() -> None:
    if not source.settings().kafka_bootstrap:
        st.info("This server has no broker (EV_KAFKA_BOOTSTRAP): with `ev up` the lag stands here.")
        return
    try:
        parts = operations.lag(source.settings())
    except UserError as error:
        st.error(str(error))
        return
    figures({"Behind": (say(parts["behind"].sum(), "", 0), "offsets not read yet, all partitions")})
    table(parts, "lag")


def _unreadable(letters, aside) -> None:  # noqa: ANN001 - pandas frames
    st.subheader("Dead letters")
    if letters.empty:
        st.success("Every message could be read.")
    else:
        by_reason = letters.groupby("reason", as_index=False)["messages"].sum()
        chart = charts.bars(by_reason, "reason", "messages", "reason", "messages", charts.ORANGE)
        st.altair_chart(chart, key="reasons", alt="Dead letters by reason")
        table(letters, "dead-letters")
    st.subheader("Quarantine")
    if aside.empty:
        st.success("Nothing was moved aside.")
    else:
        table(aside, "quarantine")


def _late(late, gaps) -> None:  # noqa: ANN001 - pandas frames
    st.subheader("Late records")
    note("each re-opens its day: compacted, cleaned and segmented again, and what follows")
    if late.empty:
        st.success("Every record came on its day.")
    else:
        table(late, "late")
    st.subheader("Known gaps")
    if gaps.empty:
        st.success("No offset is known to be lost.")
    else:
        table(gaps, "gaps")


def _bill() -> None:
    note("what is stored now; counting lists every object of the lake, a thousand for one request")
    if not st.button("Count the objects", key="count"):
        return
    bill = source.from_lake(operations.bill)
    figures(
        {
            "Objects": (count(bill["objects"].sum()), "in the lake"),
            "Size": (say(bill["mb"].sum(), "MB", 0), "of all objects"),
            "Storage": (say(bill["usd_per_month"].sum(), "USD/month", 4), "S3 Standard, list price"),
            "Written for": (say(bill["usd_written"].sum(), "USD", 4), "one PUT for each of them"),
        }
    )
    table(bill, "bill")
    note("Requests of ingest as they are made: EV_METRICS_PORT of `ev ingest`, and the metadata of each drain.")
