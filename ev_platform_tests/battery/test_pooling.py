import pytest

from ev_platform.battery.estimate import Estimate
from ev_platform.battery.pooling import pool


def one(method, capacity, own, shared=0.0, n=5, covered=100.0, reasons=()):
    return Estimate(method, capacity, own, shared, n, covered, reasons)


def test_weights_are_inverse_variances():
    pooled = pool([one("a", 70.0, 0.5), one("b", 71.0, 1.0)])
    assert pooled.capacity_kwh == pytest.approx((70 * 4 + 71) / 5)
    assert pooled.sd_kwh == pytest.approx((1 / (4 + 1)) ** 0.5)
    assert pooled.reasons == ()


def test_disagreement_scales_the_sd_by_the_birge_ratio_and_is_named():
    near, far = pool([one("a", 70.0, 0.5), one("b", 70.2, 0.5)]), pool([one("a", 70.0, 0.5), one("b", 73.0, 0.5)])
    # chi-squared of two values = (difference / sqrt(sd_a² + sd_b²))², here 18.
    assert far.own_sd_kwh == pytest.approx(near.own_sd_kwh * 18**0.5)
    assert far.reasons == ("methods_disagree",)
    assert near.reasons == ()
    # After inflation each method is within two standard deviations of the pooled value.
    assert 2 * far.sd_kwh > 3.0 / 2


def test_what_methods_share_is_not_averaged_down():
    pooled = pool([one("a", 70.0, 0.1, 0.7), one("b", 70.0, 0.1, 0.7)])
    assert pooled.sd_kwh == pytest.approx((0.1**2 / 2 + 0.7**2) ** 0.5)


def test_a_method_without_a_number_only_adds_its_reasons():
    pooled = pool([one("a", 70.0, 0.5), Estimate("b", None, n=1, sum_delta_soc=20.0, reasons=("too_little_evidence",))])
    assert (pooled.capacity_kwh, pooled.own_sd_kwh) == (70.0, 0.5)
    assert (pooled.n, pooled.sum_delta_soc) == (5, 100.0)
    assert pooled.reasons == ("b.too_little_evidence",)


def test_thin_evidence_of_two_methods_does_not_add_up_to_a_number():
    """Both see the same charges: 40 % and 40 % are not 80 %."""
    thin = [Estimate(m, None, n=1, sum_delta_soc=40.0, reasons=("too_little_evidence",)) for m in "ab"]
    pooled = pool(thin)
    assert pooled.capacity_kwh is None
    assert pooled.sd_kwh is None
    assert pooled.sum_delta_soc == 40.0
    assert pooled.reasons[0] == "too_little_evidence"


def test_order_does_not_matter_to_the_number():
    pair = [one("a", 70.0, 0.5, 0.3), one("b", 71.0, 1.0, 0.4)]
    there, back = pool(pair), pool(pair[::-1])
    assert there.capacity_kwh == pytest.approx(back.capacity_kwh, rel=1e-15)
    assert there.sd_kwh == pytest.approx(back.sd_kwh, rel=1e-15)
