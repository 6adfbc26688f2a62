"""iou_loss and generalized_box_iou_loss: areas by hand, disjoint, touching and flat boxes."""

import numpy as np
import pytest

import bpref.functional as F
from bpref.gradcheck import check_gradients

UNIT = np.array([0.0, 0.0, 1.0, 1.0])
both = pytest.mark.parametrize("name", ["iou_loss", "generalized_box_iou_loss"])


def loss_and_gradients(name, boxes1, boxes2, **options):
    loss, cache = getattr(F, name)(np.array(boxes1), np.array(boxes2), **options)
    return loss, getattr(F, f"{name}_backward")(np.ones(np.shape(loss)), cache)


def random_boxes(seed, *shape):
    corners = np.random.default_rng(seed).uniform(0.0, 1.0, (*shape, 2, 2))
    return np.concatenate([corners.min(axis=-2), corners.max(axis=-2)], axis=-1)


def test_by_hand():
    """Two 2 × 2 boxes, shifted by (1, 1): I = 1, U = 7, C = 9."""
    boxes = [0.0, 0.0, 2.0, 2.0], [1.0, 1.0, 3.0, 3.0]
    iou, gradients = loss_and_gradients("iou_loss", *boxes)
    np.testing.assert_allclose(iou, 1 - 1 / 7, rtol=1e-6)
    # x1 changes only the area, by −2: dU = −2; x2 also the intersection, by 1: dI = 1, dU = 1.
    by_x1, by_x2 = -2 / 49, -(1 / 7 - 1 / 49)
    np.testing.assert_allclose(gradients[0], [by_x1, by_x1, by_x2, by_x2], rtol=1e-6)
    np.testing.assert_allclose(gradients[1], [-by_x2, -by_x2, -by_x1, -by_x1], rtol=1e-6)

    giou, gradients = loss_and_gradients("generalized_box_iou_loss", *boxes)
    np.testing.assert_allclose(giou, 1 - 1 / 7 + 2 / 9, rtol=1e-6)
    # 1 − U / C: x1 changes U by −2 and C by −3; x2 changes U by 1.
    by_x1 += -(-2 / 9 + 3 * 7 / 81)
    by_x2 += -1 / 9
    np.testing.assert_allclose(gradients[0], [by_x1, by_x1, by_x2, by_x2], rtol=1e-6)
    np.testing.assert_allclose(gradients[1], [-by_x2, -by_x2, -by_x1, -by_x1], rtol=1e-6)


@both
def test_equal_boxes_have_no_loss(name):
    loss, gradients = loss_and_gradients(name, UNIT, UNIT)
    np.testing.assert_allclose(loss, 0.0, atol=1e-6)
    # Each side is shared: half of the slope outwards, half of it inwards.
    np.testing.assert_allclose(gradients[0], gradients[1], atol=1e-15)


@pytest.mark.parametrize("shift", [(2.0, 0.0), (0.0, 3.0), (1.0, 0.0), (1.0, 1.0), (-2.0, 2.0)])
def test_no_gradient_of_iou_between_disjoint_or_touching_boxes(shift):
    loss, gradients = loss_and_gradients("iou_loss", UNIT, UNIT + np.tile(shift, 2))
    assert loss == 1.0
    for gradient in gradients:
        np.testing.assert_array_equal(gradient, np.zeros(4))


def test_giou_pulls_disjoint_boxes_together():
    """U = 2, C = 3: J = 1 + 1 / 3."""
    boxes, other = UNIT, np.array([2.0, 0.0, 3.0, 1.0])
    loss, gradients = loss_and_gradients("generalized_box_iou_loss", boxes, other)
    np.testing.assert_allclose(loss, 4 / 3, rtol=1e-6)
    assert gradients[0][2] < 0 < gradients[1][0]
    for _ in range(300):
        boxes = boxes - 0.03 * gradients[0]
        loss, gradients = loss_and_gradients("generalized_box_iou_loss", boxes, other)
    assert loss < 0.8
    assert F.iou_loss(boxes, other)[0] < 0.8


@both
def test_both_arguments_play_the_same_part(name):
    boxes1, boxes2 = random_boxes(0, 5), random_boxes(1, 5)
    loss, gradients = loss_and_gradients(name, boxes1, boxes2)
    swapped_loss, swapped = loss_and_gradients(name, boxes2, boxes1)
    np.testing.assert_allclose(loss, swapped_loss, rtol=1e-14)
    np.testing.assert_allclose(gradients[0], swapped[1], rtol=1e-12)
    np.testing.assert_allclose(gradients[1], swapped[0], rtol=1e-12)


@both
def test_x_and_y_play_the_same_part(name):
    boxes1, boxes2 = random_boxes(0, 5), random_boxes(1, 5)
    order = [1, 0, 3, 2]
    loss, gradients = loss_and_gradients(name, boxes1, boxes2)
    turned_loss, turned = loss_and_gradients(name, boxes1[:, order], boxes2[:, order])
    np.testing.assert_allclose(loss, turned_loss, rtol=1e-14)
    np.testing.assert_allclose(gradients[0][:, order], turned[0], rtol=1e-12)


@both
def test_moving_both_boxes_changes_nothing(name):
    """So the gradients of both add up to 0 along each axis."""
    gradients = loss_and_gradients(name, random_boxes(0, 5), random_boxes(1, 5))[1]
    total = gradients[0] + gradients[1]
    np.testing.assert_allclose(total[:, :2] + total[:, 2:], np.zeros((5, 2)), atol=1e-12)


@both
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_flat_boxes(name, dtype):
    """A line and a point: no area, no division by 0, no warning."""
    line, point = np.array([0.0, 0.0, 2.0, 0.0], dtype), np.array([1.0, 0.0, 1.0, 0.0], dtype)
    for boxes in ((line, point), (point, point), (line, line), (UNIT.astype(dtype), point)):
        loss, gradients = loss_and_gradients(name, *boxes)
        np.testing.assert_allclose(loss, 1.0)
        assert all(np.isfinite(gradient).all() for gradient in gradients)


@both
def test_reductions(name):
    boxes1, boxes2 = random_boxes(0, 2, 3), random_boxes(1, 2, 3)
    none, gradients = loss_and_gradients(name, boxes1, boxes2)
    assert none.shape == (2, 3)
    for reduction, divisor in (("sum", 1), ("mean", 6)):
        loss, reduced = loss_and_gradients(name, boxes1, boxes2, reduction=reduction)
        np.testing.assert_allclose(loss, none.sum() / divisor)
        for each, all_ in zip(reduced, gradients, strict=True):
            np.testing.assert_allclose(each, all_ / divisor)


@both
def test_mean_of_no_boxes(name):
    loss, gradients = loss_and_gradients(name, np.empty((0, 4)), np.empty((0, 4)), reduction="mean")
    assert np.isnan(loss)
    assert gradients[0].shape == gradients[1].shape == (0, 4)


@both
def test_a_shared_side_gets_half_the_slope(name):
    """Equal but for x2: the mean of the slopes on either side of the other three coordinates."""
    boxes2 = np.array([0.0, 0.0, 2.0, 1.0])
    _, (shared, _) = loss_and_gradients(name, UNIT, boxes2)
    for axis in (0, 1, 3):
        step = 1e-6 * np.eye(4)[axis]
        _, (below, _) = loss_and_gradients(name, UNIT - step, boxes2)
        _, (above, _) = loss_and_gradients(name, UNIT + step, boxes2)
        assert abs(below[axis] - above[axis]) > 0.1
        np.testing.assert_allclose(shared[axis], (below[axis] + above[axis]) / 2, atol=1e-5)


@both
@pytest.mark.parametrize("eps", [1e-7, 0.5])
def test_boxes_of_any_form_like_central_differences(name, eps):
    boxes = {"boxes1": random_boxes(0, 20), "boxes2": random_boxes(1, 20)}
    _, gradients = loss_and_gradients(name, *boxes.values(), reduction="sum", eps=eps)
    report = check_gradients(
        lambda **boxes: getattr(F, name)(**boxes, reduction="sum", eps=eps)[0],
        boxes,
        dict(zip(boxes, gradients, strict=True)),
    )
    assert report.ok, str(report)


@both
def test_eps_is_added_to_each_denominator(name):
    boxes = UNIT, np.array([0.0, 0.0, 2.0, 2.0])  # I = 1, U = C = 4
    np.testing.assert_allclose(loss_and_gradients(name, *boxes, eps=1.0)[0], 1 - 1 / 5)
    apart = UNIT, np.array([2.0, 0.0, 3.0, 1.0])  # I = 0, U = 2, C = 3
    expected = 1.0 if name == "iou_loss" else 1 + 1 / 4
    np.testing.assert_allclose(loss_and_gradients(name, *apart, eps=1.0)[0], expected)
    assert getattr(F, name)(*boxes)[0] == getattr(F, name)(*boxes, "none", 1e-7)[0]
