"""Checks of the market: every row accounted for, rules of the columns, error of the fit, drift (which alerts)."""

import dagster as dg

from ev_platform.alerts import Alert, Alerts
from ev_platform.defs.market.assets import MARKET_DRIFT, MARKET_MODELS, MARKET_QUARANTINE, MARKET_SALES
from ev_platform.defs.platform import Platform
from ev_platform.lake.schemas_market import DEPRECIATION, DRIFT
from ev_platform.market import tasks
from ev_platform.market.drift import drifted

MOST_MEDIAN_ERROR = 0.60
MOST_BIAS = 0.10


@dg.asset_check(
    asset=MARKET_SALES,
    additional_deps=[MARKET_QUARANTINE],
    description="Lines of the newest raw file = sales in the lake + quarantined rows.",
)
def every_row_accounted_for(platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """Nothing dropped silently, nothing counted twice."""
    counts = tasks.rows_unaccounted(platform.store)
    return dg.AssetCheckResult(passed=not counts, metadata={"counts": dg.MetadataValue.json(counts)})


@dg.asset_check(
    asset=MARKET_SALES,
    description="Every sale lies in the month of its date, grades are 1 to 5, states are known, prices are prices.",
)
def column_rules(platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """The rules of the columns, looked at from outside."""
    broken = tasks.broken_rules(platform.store)
    return dg.AssetCheckResult(passed=not broken, metadata={"broken": dg.MetadataValue.json(broken)})


@dg.asset_check(
    asset=MARKET_MODELS,
    description=f"Median error on sales left out is at most {MOST_MEDIAN_ERROR:.0%}, bias at most {MOST_BIAS:.0%}.",
)
def error_on_sales_left_out(platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """The fit of all makes together says something about sales that it has not seen."""
    rows = tasks.read_table(platform.store, "market/depreciation_models", DEPRECIATION).to_pylist()
    worst = [row for row in rows if row["level"] == "all"]
    passed = all(r["cv_median_error"] <= MOST_MEDIAN_ERROR and abs(r["cv_bias"]) <= MOST_BIAS for r in worst)
    shown = {"median_error": worst[0]["cv_median_error"], "bias": worst[0]["cv_bias"]} if worst else {}
    return dg.AssetCheckResult(passed=passed and bool(worst), metadata=shown)


@dg.asset_check(
    asset=MARKET_DRIFT,
    description="Row count, brands and price level are those of the snapshot before, within their limits; alerts.",
)
def no_drift(platform: dg.ResourceParam[Platform]) -> dg.AssetCheckResult:
    """A market that moved, or a file that changed: somebody should look."""
    lines = drifted(tasks.read_table(platform.store, "market/drift", DRIFT))
    if lines:
        key = f"check:{MARKET_DRIFT.to_user_string()}:no_drift"  # as the health sensor has it, which tells its end
        Alerts(platform.settings, platform.store).tell(Alert(key, "sales market drifted", "\n".join(lines)))
    return dg.AssetCheckResult(
        passed=not lines, severity=dg.AssetCheckSeverity.WARN, metadata={"drifted": dg.MetadataValue.json(lines)}
    )
