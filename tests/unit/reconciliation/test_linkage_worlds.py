"""The world on which linkage is reported is not the one it was made on."""

from dataclasses import replace

from app.reconciliation.linkage.comparing import parameters_of
from benchmarks._linkage_people import KINDS, REPORTED, TRAINING, make_world
from benchmarks.linkage import interval


def test_the_worlds_have_other_seeds_rates_and_kinds_of_error() -> None:
    seeds = {parameters_of()["seed"], parameters_of()["threshold_seed"]}
    assert REPORTED.seed not in seeds
    assert TRAINING.seed in seeds
    for slips in ("number_slips", "born_slips", "local_slips"):
        assert set(getattr(REPORTED, slips)) - set(getattr(TRAINING, slips)), slips
    for rate in ("number_missing", "born_wrong", "local_missing", "practice_other"):
        assert getattr(REPORTED, rate) != getattr(TRAINING, rate), rate


def test_a_world_is_the_same_again_and_has_every_kind_of_line() -> None:
    one, again = make_world(REPORTED, 50, 120), make_world(REPORTED, 50, 120)
    assert (one.lines, one.truth, one.coverages) == (again.lines, again.truth, again.coverages)
    assert set(one.kinds) == set(KINDS)
    assert make_world(replace(REPORTED, seed=1), 50, 120).lines != one.lines
    held = {c.treatment_id for c in one.coverages}
    assert all(truth is None or truth in held for truth in one.truth)
    pairs = zip(one.kinds, one.truth, strict=True)
    assert all((truth is None) == (k in ("twin elsewhere", "not held")) for k, truth in pairs)


def test_an_interval_lies_around_its_share_and_within_0_and_1() -> None:
    for hits, of in ((0, 10), (5, 10), (10, 10), (990, 1000)):
        low, high = interval(hits, of)
        assert 0 <= low <= hits / of <= high <= 1
    assert interval(0, 0) == (0, 1)
