"""How cars lose value: log price, linear in age, mileage and grade, per model, each level shrunk towards the one above.

A model with many sales speaks for itself, one with few borrows from its make, a make from all: ridge regression whose
prior mean is the level above (a normal prior; Gelman & Hill 2007, ch. 12, in its simplest form). The error is measured
on sales that were left out: 5 folds by VIN, so that a car sold twice is never on both sides. Sums of squares per group
and fold are all that is kept, so leaving a fold out is a subtraction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from ev_platform.lake.schemas_market import CURVES, DEPRECIATION

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FEATURES = ("intercept", "age", "age_squared", "miles_beyond_usual", "miles_unknown", "grade", "grade_unknown")
"""age in tens of years; miles beyond 12,000 a year, in 100,000; grade minus 3.5."""

MILES_PER_YEAR = 12_000.0
MIDDLE_GRADE = 3.5
FOLDS = 5
MIN_SALES = 25
"""A make or model with fewer sales has no row of its own."""
OLDEST_YEARS = 20.0
NOISE_VARIANCE = 0.05
PRIOR_SD = np.array([1.0, 0.6, 0.5, 0.3, 0.15, 0.08, 0.15])
"""How far coefficients of a make or model may lie from those of the level above (one standard deviation)."""
TAILS = 0.01
"""Share of residuals cut off at each end before their standard deviation is taken: auctions sell wrecks, too."""
ONE_SD = 1.0


@dataclass(frozen=True)
class Law:
    """Coefficients of one level with its error, as a row of `DEPRECIATION` holds them."""

    level: str
    make: str | None
    model: str | None
    n_sales: int
    coefficients: tuple[float, ...]
    sd_log: float
    miles_per_year: float
    reference_grade: float
    first_sale: datetime | None = None
    last_sale: datetime | None = None

    def log_price(self, age: Floats, miles: Floats, grade: Floats) -> Floats:
        """Expected log price at ages (years), mileages and grades; NaN mileage or grade: unknown."""
        return np.asarray(design(age, miles, grade) @ np.array(self.coefficients))

    def value_ratio(self, age: Floats, miles: Floats, grade: Floats) -> Floats:
        """Price over that of the same model at age 0, unused, at the reference grade.

        Never above 1 and never rising with age: a parabola in age must not bring old cars back to value.
        """
        zero, reference = np.zeros(1), np.full(1, self.reference_grade)
        new = self.log_price(zero, zero, reference)[0]
        steps = np.linspace(0.0, 1.0, 41)[:, None] * np.asarray(age)[None, :]
        curve = np.stack([self.log_price(a, MILES_PER_YEAR * a, reference.repeat(len(a))) for a in steps])
        usual = np.minimum(curve.min(axis=0), new)
        own = self.log_price(age, miles, grade) - self.log_price(age, MILES_PER_YEAR * age, reference.repeat(len(age)))
        return np.asarray(np.minimum(np.exp(usual + own - new), 1.0))


def design(age: Floats, miles: Floats, grade: Floats) -> Floats:
    """Matrix of `FEATURES` (n × 7) of ages in years, mileages and grades; NaN means unknown."""
    tens = np.asarray(age, float) / 10.0
    beyond = (np.asarray(miles, float) - MILES_PER_YEAR * np.asarray(age, float)) / 100_000.0
    centred = np.asarray(grade, float) - MIDDLE_GRADE
    no_miles, no_grade = np.isnan(beyond), np.isnan(centred)
    columns = [
        np.ones_like(tens),
        tens,
        tens**2,
        np.where(no_miles, 0.0, beyond),
        no_miles.astype(float),
        np.where(no_grade, 0.0, centred),
        no_grade.astype(float),
    ]
    return np.stack(columns, axis=1)


def age_years(sold_at: pl.Expr, release_year: pl.Expr) -> pl.Expr:
    """Age at the sale in years, from the first of January of the model year; never below 0."""
    born = pl.datetime(release_year, 1, 1, time_zone="UTC")
    return ((sold_at - born).dt.total_seconds() / (365.25 * 86_400)).clip(lower_bound=0.0)


def fit(sales: pa.Table) -> pa.Table:
    """`DEPRECIATION` rows: all, each make and each model with at least `MIN_SALES` sales."""
    rows = _prepared(sales)
    if rows.height == 0:
        return DEPRECIATION.empty_table()
    x = design(*(rows[name].to_numpy() for name in ("age", "miles", "grade")))
    y = np.log(rows["selling_price_usd"].to_numpy())
    fold = rows["fold"].to_numpy().astype(np.int64)
    parent: Ints = np.zeros(rows.height, dtype=np.int64)
    prior = np.zeros((1 + FOLDS, 1, len(FEATURES)))
    spread = np.full(len(FEATURES), 20.0)  # nothing above "all": a prior so wide that it says nothing
    levels: list[list[dict[str, object]]] = []
    for level, keys in (("all", []), ("make", ["make"]), ("model", ["make", "model"])):
        group, table = _groups(rows, keys)
        above = _first(group, parent, table.height)
        betas = _solve(x, y, fold, group, table.height, prior[:, above], spread)
        predicted = np.einsum("ij,ij->i", x, betas[1 + fold, group])
        levels.append(_rows_of(level, keys, table, betas[0], y - predicted, group))
        parent, prior, spread = group, betas, PRIOR_SD
    made = [row for rows_of_level in levels for row in rows_of_level]
    return pa.Table.from_pylist(made, schema=DEPRECIATION)


def laws(models: pa.Table) -> list[Law]:
    """The laws of a `DEPRECIATION` table."""
    renamed = {"cv_sd_log": "sd_log"}
    names = set(Law.__dataclass_fields__)
    rows = ({renamed.get(name, name): value for name, value in row.items()} for row in models.to_pylist())
    return [
        Law(**{n: tuple(v) if isinstance(v, list) else v for n, v in row.items() if n in names})  # type: ignore[arg-type]
        for row in rows
    ]


def find_law(known: Sequence[Law], make: str, model: str) -> Law | None:
    """The law of a model, else of its make, else of all; None when nothing was fitted."""
    wanted = (("model", make.lower(), model.lower()), ("make", make.lower(), ""), ("all", "", ""))
    index = {(law.level, (law.make or "").lower(), (law.model or "").lower()): law for law in known}
    return next((index[key] for key in wanted if key in index), None)


def curves(models: pa.Table) -> pa.Table:
    """`CURVES` rows: each law at 0, 1, 2, … years with its usual mileage and the reference grade."""
    made: list[dict[str, object]] = []
    for law, row in zip(laws(models), models.to_pylist(), strict=True):
        age = np.arange(0.0, np.floor(row["oldest_age_years"]) + 1.0)
        miles, grade = law.miles_per_year * age, np.full(len(age), law.reference_grade)
        ratio = law.value_ratio(age, miles, grade)
        new = np.exp(law.log_price(np.zeros(1), np.zeros(1), grade[:1]))[0]
        for k in range(len(age)):
            price = float(new * ratio[k])
            made.append(
                {
                    "level": law.level,
                    "make": law.make,
                    "model": law.model,
                    "age_years": float(age[k]),
                    "odometer_miles": float(miles[k]),
                    "price_usd": price,
                    "price_low_usd": price * float(np.exp(-ONE_SD * law.sd_log)),
                    "price_high_usd": price * float(np.exp(ONE_SD * law.sd_log)),
                    "value_ratio": float(ratio[k]),
                }
            )
    return pa.Table.from_pylist(made, schema=CURVES)


# -- internals --------------------------------------------------------------------------------------------------------


def _prepared(sales: pa.Table) -> pl.DataFrame:
    rows = pl.DataFrame(pl.from_arrow(sales)).with_columns(
        age_years(pl.col("sold_at"), pl.col("release_year")).alias("age"),
        pl.col("odometer_miles").cast(pl.Float64).alias("miles"),
        pl.coalesce("vin", pl.col("sold_at").cast(pl.String)).str.slice(10).alias("tail"),
    )
    rows = rows.filter(pl.col("make").is_not_null() & (pl.col("age") <= OLDEST_YEARS))
    names = ["make", "model", "sold_at", "age", "miles", "grade", "selling_price_usd"]
    return rows.select(*names, _fold().alias("fold")).with_columns(
        pl.col("miles").fill_null(float("nan")), pl.col("grade").fill_null(float("nan"))
    )


def _fold() -> pl.Expr:
    """Fold of a car: the digits of its serial number, stable between versions and the same for each of its sales."""
    digits = pl.col("tail").str.replace_all(r"\D", "").str.slice(-3)
    return digits.cast(pl.Int64, strict=False).fill_null(0) % FOLDS


def _groups(rows: pl.DataFrame, keys: list[str]) -> tuple[Ints, pl.DataFrame]:
    """Group number of each row and one line per group, in the order of its names; a null name is a group, too."""
    named = rows.select(
        *(pl.col(key) for key in ["make", "model"] if key in keys),
        "sold_at",
        "age",
        "miles",
        "grade",
        pl.int_range(pl.len()).alias("at"),
    )
    figures = [
        pl.len().alias("n"),
        pl.col("sold_at").min().alias("first_sale"),
        pl.col("sold_at").max().alias("last_sale"),
        (pl.col("miles") / pl.col("age").clip(lower_bound=0.5)).fill_nan(None).median().alias("miles_per_year"),
        pl.col("grade").fill_nan(None).mean().alias("reference_grade"),
        pl.col("age").quantile(0.99).alias("oldest"),
    ]
    if not keys:
        return np.zeros(rows.height, dtype=np.int64), named.select(figures)
    table = named.group_by(keys).agg(figures).sort(keys, nulls_last=True).with_row_index("group")
    joined = named.join(table.select(*keys, "group"), on=keys, how="left", nulls_equal=True, maintain_order="left")
    return joined["group"].to_numpy().astype(np.int64), table


def _first(group: Ints, parent: Ints, n: int) -> Ints:
    """The group above of each group."""
    above = np.zeros(n, dtype=np.int64)
    above[group] = parent
    return above


def _solve(x: Floats, y: Floats, fold: Ints, group: Ints, n: int, prior: Floats, spread: Floats) -> Floats:
    """Coefficients (1 + FOLDS, groups, features): of all rows, then without each fold.

    `prior` has the same shape: coefficients of the level above, fitted without the same fold.
    """
    p = x.shape[1]
    cell = group * FOLDS + fold
    sums = np.zeros((n * FOLDS, p, p + 1))
    target = np.column_stack([x, y])
    order = np.argsort(cell, kind="stable")
    starts = np.flatnonzero(np.diff(cell[order], prepend=-1))
    for k in range(p):
        sums[cell[order][starts], k] = np.add.reduceat(x[order, k : k + 1] * target[order], starts, axis=0)
    by_fold = sums.reshape(n, FOLDS, p, p + 1)
    total = by_fold.sum(axis=1)
    each = np.stack([total, *(total - by_fold[:, k] for k in range(FOLDS))])
    precision = np.diag(NOISE_VARIANCE / spread**2)
    right = each[..., p] + prior @ precision
    return np.asarray(np.linalg.solve(each[..., :p] + precision, right[..., None])[..., 0])


def _rows_of(
    level: str, keys: list[str], table: pl.DataFrame, betas: Floats, residual: Floats, group: Ints
) -> list[dict[str, object]]:
    order = np.argsort(group, kind="stable")
    ends = np.searchsorted(group[order], np.arange(table.height + 1))
    made: list[dict[str, object]] = []
    for k, row in enumerate(table.iter_rows(named=True)):
        if level != "all" and (row["n"] < MIN_SALES or any(row[key] is None for key in keys)):
            continue
        left_out = np.sort(residual[order[ends[k] : ends[k + 1]]])
        relative = np.exp(-left_out) - 1.0
        cut = int(len(left_out) * TAILS)
        made.append(
            {
                "level": level,
                "make": row.get("make"),
                "model": row.get("model"),
                "n_sales": row["n"],
                "coefficients": betas[k].tolist(),
                "cv_median_error": float(np.median(np.abs(relative))),
                "cv_mape": float(np.mean(np.abs(relative))),
                "cv_sd_log": float(np.std(left_out[cut : len(left_out) - cut])),
                "cv_bias": float(np.median(relative)),
                "reference_grade": MIDDLE_GRADE if row["reference_grade"] is None else row["reference_grade"],
                "miles_per_year": MILES_PER_YEAR if row["miles_per_year"] is None else row["miles_per_year"],
                "oldest_age_years": row["oldest"],
                "first_sale": row["first_sale"],
                "last_sale": row["last_sale"],
            }
        )
    return made


def sketch(table: pa.Table) -> str:
    """The curve of all makes as a small Markdown picture: a bar per year of age."""
    rows = [row for row in table.to_pylist() if row["level"] == "all"]
    lines = [f"| {r['age_years']:.0f} | {r['value_ratio']:.0%} | {'█' * round(20 * r['value_ratio'])} |" for r in rows]
    return "\n".join(["| age | value | |", "| ---: | ---: | --- |", *lines])
