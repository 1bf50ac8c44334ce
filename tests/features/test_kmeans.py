"""k-means, beside scikit-learn's, from the same centers on the same points."""

import numpy as np
import pytest
from skimage.color import rgb2lab
from sklearn.cluster import KMeans
from sklearn.datasets import load_sample_image

from pipeline.features.kmeans import kmeans_labels


def reference(points, weights, centers, *, most_rounds):
    kmeans = KMeans(len(centers), init=centers, n_init=1, max_iter=most_rounds)
    return kmeans.fit_predict(points, sample_weight=weights)


def both(points, weights, centers, *, most_rounds=25):
    ours = kmeans_labels(points, weights, centers, most_rounds=most_rounds)
    return ours.tolist(), reference(points, weights, centers, most_rounds=most_rounds).tolist()


@pytest.mark.parametrize("name", ["china.jpg", "flower.jpg"])
@pytest.mark.parametrize("most_rounds", [1, 5, 25])
def test_colors_of_a_photo_fall_together_as_scikit_learn_puts_them(name, most_rounds):
    points = rgb2lab(load_sample_image(name)[::12, ::12]).reshape(-1, 3)
    rng = np.random.default_rng(1)
    weights = rng.random(len(points)) + 0.01

    ours, theirs = both(points, weights, points[rng.choice(len(points), 10, replace=False)], most_rounds=most_rounds)

    assert ours == theirs


@pytest.mark.parametrize("seed", range(20))
def test_points_anywhere_fall_together_as_scikit_learn_puts_them(seed):
    rng = np.random.default_rng(seed)
    number, dimensions = int(rng.integers(10, 300)), int(rng.integers(1, 5))
    points, weights = rng.normal(size=(number, dimensions)), rng.random(number) + 0.01

    ours, theirs = both(points, weights, points[: int(rng.integers(1, 10))])

    assert ours == theirs


def test_a_center_that_loses_its_points_goes_to_the_farthest_one():
    points = np.array([[0.0], [1.0], [2.0], [10.0], [30.0]])
    centers = np.array([[1.0], [-50.0], [10.0]])  # nothing is nearest to the second

    ours, theirs = both(points, np.ones(5), centers)

    assert ours == theirs == [0, 0, 0, 2, 1]


def test_a_point_that_is_taken_from_its_center_leaves_it_where_it_was():
    points = np.array([[0.0], [1.0], [100.0]])
    centers = np.array([[0.5], [60.0], [-90.0]])  # the farthest point is alone with the second

    once = kmeans_labels(points, np.ones(3), centers, most_rounds=1)
    at_last = kmeans_labels(points, np.ones(3), centers, most_rounds=25)

    assert once.tolist() == [0, 0, 2]
    assert at_last.tolist() == [1, 0, 2], "with nothing left to it, it goes to a point in its turn"


def test_a_heavy_point_draws_its_center():
    points, centers = np.array([[0.0], [4.0], [6.0], [10.0]]), np.array([[0.0], [7.0]])

    light = kmeans_labels(points, np.ones(4), centers, most_rounds=1)
    heavy = kmeans_labels(points, np.array([1.0, 1.0, 1.0, 9.0]), centers, most_rounds=1)

    assert light.tolist() == [0, 1, 1, 1]  # the second goes to 6.67, and 4 is nearer to that than to 0
    assert heavy.tolist() == [0, 0, 1, 1]  # it goes to 9.09


def test_nothing_that_was_given_is_changed():
    given = (np.array([[0.0, 1.0], [2.0, 3.0], [9.0, 9.0]]), np.array([1.0, 2.0, 3.0]), np.array([[0.0, 1.0], [9, 9]]))
    before = [each.copy() for each in given]

    kmeans_labels(*given, most_rounds=5)

    assert all(np.array_equal(one, other) for one, other in zip(given, before, strict=True))
