import pytest
import torch

from pipeline.config.score import MemoryScore
from pipeline.detector.scores.memory import fit, report, restore
from tests.detector.scores.made import normal, scored, training_data


def fitted(train, held, **how):
    made = {name: how.pop(name) for name in ("judged", "reconstruct") if name in how}
    return fit(MemoryScore(rows=how.pop("rows", 1000), **how), training_data(train, held, **made))


def test_a_remembered_row_is_at_distance_zero():
    train = normal(50)

    found = scored(fitted(train, normal(10, seed=1), neighbours=1), train)

    assert float(found.abs().max()) < 1e-15


def test_without_residual_the_score_is_the_mean_squared_weighted_distance():
    train, held, rows = normal(50), normal(10, seed=1), normal(20, seed=2)
    module = fitted(train, held, residual=0.0)

    found = scored(module, rows).sum(dim=1)

    places = torch.cat([held, train]) * module.row_weight
    apart = torch.cdist((rows * module.row_weight).double(), places.double()) ** 2
    by_hand = apart.sort(dim=1).values[:, :2].mean(dim=1)
    torch.testing.assert_close(found.double(), by_hand, rtol=1e-4, atol=1e-6)


def test_the_residual_adds_what_the_row_alone_does_not_show():
    train, held = normal(200), normal(50, seed=1)

    def broken(rows):
        # The network cannot rebuild rows whose first feature is above 1.
        return torch.where(rows[:, :1] > 1, rows + 20, rows + 0.1)

    calm = lambda rows: rows + 0.1  # noqa: E731 - beside its counterpart
    module = fitted(train, held, residual=1.0, reconstruct=calm)
    odd = torch.tensor([[1.5, 0.0, 0.0, 0.0]])

    usual = scored(module, odd, reconstruct=calm).sum()
    raised = scored(module, odd, reconstruct=broken).sum()

    assert raised > 100 * usual


def test_context_neither_counts_nor_chooses_the_nearest_row():
    train, held, rows = normal(100), normal(20, seed=1), normal(30, seed=2)
    module = fitted(train, held, judged=(True, True, True, False))
    elsewhere = rows.clone()
    elsewhere[:, 3] += 40

    torch.testing.assert_close(scored(module, elsewhere), scored(module, rows))


def test_features_that_differ_between_neighbours_weigh_less():
    train = normal(500)
    train[:, 1] = train[:, 0] + 0.01 * train[:, 1]
    train[:, 2] = train[:, 0] + 0.01 * train[:, 2]

    module = fitted(train, train[:50].clone())

    assert float(module.row_weight[3]) < float(module.row_weight[:3].min())


def test_more_rows_than_asked_for_become_means():
    module = fitted(normal(900), normal(100, seed=1), rows=50)

    assert len(module.remembered) <= 50
    assert float(module.stands_for.sum()) == 1000
    assert int(module.neighbours) == 1


def test_rows_that_all_agree_are_remembered_as_one_and_judged():
    same = torch.ones(300, 4)

    module = fitted(same, same[:30], rows=20)

    assert len(module.remembered) == 1
    assert float(scored(module, same[:5] + 1).sum(dim=1).min()) > 0


@pytest.mark.parametrize("neighbours", [1, 50])
def test_fewer_rows_than_neighbours_are_all_searched(neighbours):
    module = fitted(normal(9), normal(1, seed=1), neighbours=neighbours)

    assert int(module.neighbours) == min(neighbours, 10)
    assert torch.isfinite(scored(module, normal(5, seed=3))).all()


def test_points_that_are_close_together_beside_a_long_tail_are_separated():
    # Most values lie within a thousandth of each other, a few are fifty times farther out.
    train = torch.exp(3 * normal(1500)[:, :1])
    held = torch.exp(3 * normal(200, seed=1)[:, :1])
    module = fitted(train, held, residual=0.0, judged=(True,))

    found = scored(module, held).sum(dim=1)

    apart = torch.cdist(held.double(), module.remembered.double()) ** 2
    by_hand = apart.sort(dim=1).values[:, : module.nearest_count].mean(dim=1)
    assert module.in_float64
    torch.testing.assert_close(found.double(), by_hand, rtol=1e-4, atol=1e-12)


def test_where_float32_finds_the_same_points_it_is_used():
    module = fitted(normal(200), normal(50, seed=1))

    assert not module.in_float64


def test_a_score_of_an_earlier_release_is_restored_as_it_was():
    module = fitted(normal(200), normal(50, seed=1))
    parts = {n: part for n, part in module.state_dict().items() if n != "exactly"}

    assert not restore(MemoryScore(), module, parts).in_float64


def test_it_reports_how_many_rows_the_bundle_holds_as_they_were_measured():
    whole = report(fitted(normal(90), normal(10, seed=1)))
    means = report(fitted(normal(900), normal(100, seed=1), rows=50))

    assert whole.measured == {"remembered_places": 100, "remembered_single_rows": 100}
    assert means.measured["remembered_single_rows"] < means.measured["remembered_places"] <= 50
    assert "100 of them are single rows" in whole.remarks[0]
