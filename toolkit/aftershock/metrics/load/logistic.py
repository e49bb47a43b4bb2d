"""Logistic curves of failure on load: the fit by Newton's steps, many at once, and its covariance when runs of a day hang together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

_STEPS = 40
_STEEPEST = 30.0


@dataclass(frozen=True)
class Counts:
    """Failures of n at a load, a row per cluster and load, each of which stands for `repeats` hours or runs."""

    load: np.ndarray
    failures: np.ndarray
    n: np.ndarray
    cluster: np.ndarray
    repeats: np.ndarray

    @property
    def clusters(self) -> int:
        """How many clusters there are."""
        return int(self.cluster.max()) + 1 if len(self.cluster) else 0


@dataclass(frozen=True)
class Line:
    """logit p = a + b z, with the covariance of (a, b)."""

    a: float
    b: float
    covariance: np.ndarray
    deviance: float
    dispersion: float


def fitted(z: np.ndarray, failures: np.ndarray, n: np.ndarray) -> tuple[Any, Any, Any]:
    """(a, b, log likelihood) of logit p = a + b z by maximum likelihood, along the last axis; leading axes are separate fits."""
    shape = np.broadcast_shapes(z.shape, failures.shape, n.shape)[:-1]
    total, hits = n.sum(-1), failures.sum(-1)
    share = np.clip((hits + 0.5) / (total + 1.0), 1e-9, 1 - 1e-9)
    a, b = np.broadcast_to(np.log(share / (1 - share)), shape).copy(), np.zeros(shape)
    for _ in range(_STEPS):
        p = _share(a, b, z)
        weight, rest = n * p * (1 - p), failures - n * p
        w0, w1, w2 = weight.sum(-1), (weight * z).sum(-1), (weight * z * z).sum(-1)
        u0, u1 = rest.sum(-1), (rest * z).sum(-1)
        determinant = np.maximum(w0 * w2 - w1 * w1, 1e-300)
        # Half a step at a time far out: a straight Newton step overshoots where failures are few.
        da = np.clip((w2 * u0 - w1 * u1) / determinant, -2, 2)
        db = np.clip((w0 * u1 - w1 * u0) / determinant, -2, 2)
        a, b = np.clip(a + da, -_STEEPEST, _STEEPEST), np.clip(b + db, -_STEEPEST, _STEEPEST)
        if np.max(np.abs(da) + np.abs(db)) < 1e-10:
            break
    p = np.clip(_share(a, b, z), 1e-15, 1 - 1e-15)
    return a, b, (failures * np.log(p) + (n - failures) * np.log1p(-p)).sum(-1)


def clustered_line(z: np.ndarray, counts: Counts) -> Line:
    """The fit with a covariance that lets the runs of a cluster hang together (CR3: each cluster left out once, in one step).

    Source: Bell and McCaffrey (2002) Survey Methodology 28:169; MacKinnon, Nielsen and Webb (2023) J Econometrics 232:272.
    """
    a, b, likelihood = (float(value) for value in fitted(z, counts.failures, counts.n))
    p = _share(np.asarray(a), np.asarray(b), z)
    design = np.stack([np.ones_like(z), z], axis=1)
    rest, weight = counts.failures - counts.n * p, counts.n * p * (1 - p)
    groups = counts.clusters
    scores, information = np.zeros((groups, 2)), np.zeros((groups, 2, 2))
    np.add.at(scores, counts.cluster, design * rest[:, None])
    np.add.at(information, counts.cluster, design[:, :, None] * design[:, None, :] * weight[:, None, None])
    left = np.linalg.pinv(information.sum(0)[None] - information)
    moved = np.einsum("gij,gj->gi", left, scores)
    covariance = (groups - 1) / groups * moved.T @ moved if groups > 1 else np.full((2, 2), np.inf)
    pearson = float(np.sum(rest**2 / np.maximum(weight, 1e-12)))
    return Line(a, b, covariance, -2 * likelihood, max(1.0, pearson / max(len(z) - 2, 1)))


def doubled(a: Any, b: Any, base: Any) -> tuple[Any, Any]:
    """(the logit of twice the share at `base`, how fast it moves with the logit there); null share above one half gives inf."""
    share = _share(a, b, np.asarray(base)[..., None])[..., 0] if np.ndim(a) else 1 / (1 + np.exp(-(a + b * base)))
    twice = np.minimum(2 * share, 1 - 1e-12)
    target = np.where(2 * share < 1, np.log(twice / (1 - twice)), np.inf)
    return target, (1 - share) / np.maximum(1 - 2 * share, 1e-12)


def fieller(line: Line, base: float, quantile: float) -> tuple[float | None, float | None, float | None]:
    """Where the share is twice that at `base`, with its bounds; null where the curve or the bound never gets there.

    Every load x with |h(x)| <= q se(h(x)), h(x) = logit p(x) - logit(2 p(base)), is inside: a quadratic in x.
    The upper bound is there exactly where the interval of the slope leaves out zero. Source: Fieller (1954) J R Stat Soc B 16:175.
    """
    target, slope = (float(value) for value in doubled(line.a, line.b, base))
    if line.b <= 0 or not np.isfinite(target):
        return None, None, None
    (vaa, vab), (_, vbb) = line.covariance
    # h = a + b x - target(a + b base): its gradient is (1 - s, x - s base).
    s, q2, offset = slope, quantile**2, line.a - target
    square = line.b**2 - q2 * vbb
    half = line.b * offset - q2 * ((1 - s) * vab - s * base * vbb)
    rest = offset**2 - q2 * ((1 - s) ** 2 * vaa - 2 * (1 - s) * s * base * vab + (s * base) ** 2 * vbb)
    estimate, root = -offset / line.b, half**2 - square * rest
    if square <= 0 or root < 0:
        return float(estimate), None, None
    low, high = sorted(((-half - root**0.5) / square, (-half + root**0.5) / square))
    return float(estimate), float(max(low, base)), float(high)


def _share(a: Any, b: Any, z: np.ndarray) -> Any:
    return 1 / (1 + np.exp(-np.clip(np.asarray(a)[..., None] + np.asarray(b)[..., None] * z, -_STEEPEST, _STEEPEST)))
