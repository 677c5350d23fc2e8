"""Pruning in closed form, from second moments of activations, in double precision.

Each function gives an optimum that a test compares with brute force on explicit activations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Float, Int

NEGLIGIBLE = 1e-12
"""Eigenvalues below this share of the largest are taken as 0."""
TOGETHER = 64
"""Number of eliminations between two updates of the whole inverse; it affects only the speed."""


class Moments:
    """Mean and second moments of features ``(rows, n)`` and of targets ``(rows, d)``."""

    def __init__(self, features: int, targets: int) -> None:
        self.rows = 0
        self._sums = torch.zeros(features + targets, dtype=torch.float64)
        self._gram = torch.zeros(features, features, dtype=torch.float64)
        self._cross = torch.zeros(features, targets, dtype=torch.float64)

    def add(self, features: Float[Tensor, "rows n"], targets: Float[Tensor, "rows d"]) -> None:
        """Add more rows."""
        x, t = features.double(), targets.double()
        self.rows += len(x)
        self._sums += torch.cat([x.sum(dim=0), t.sum(dim=0)])
        self._gram.addmm_(x.T, x)
        self._cross.addmm_(x.T, t)

    @property
    def means(self) -> tuple[Float[Tensor, " n"], Float[Tensor, " d"]]:
        """Means of the features and of the targets."""
        features, targets = self._cross.shape
        feature_means, target_means = (self._sums / self.rows).split([features, targets])
        return feature_means, target_means

    @property
    def centred(self) -> tuple[Float[Tensor, "n n"], Float[Tensor, "n d"]]:
        """Covariances of the features, and of features with targets."""
        x, t = self.means
        return (
            self._gram / self.rows - torch.outer(x, x),
            self._cross / self.rows - torch.outer(x, t),
        )


def ridged(gram: Float[Tensor, "n n"], ridge: float) -> Float[Tensor, "n n"]:
    """``gram`` plus ``ridge`` times its mean diagonal on the diagonal."""
    strength = max(ridge * float(gram.diagonal().mean()), torch.finfo(gram.dtype).tiny)
    return gram + strength * torch.eye(len(gram), dtype=gram.dtype)


def least_squares(
    gram: Float[Tensor, "n n"], cross: Float[Tensor, "n d"], ridge: float
) -> Float[Tensor, "n d"]:
    """The W that minimises mean ‖t − Wᵀx‖² + ridge · mean E[x²] · ‖W‖²."""
    return torch.linalg.solve(ridged(gram, ridge), cross)


def eliminate(
    gram: Float[Tensor, "n n"],
    cross: Float[Tensor, "n d"],
    keep: int,
    group: int = 1,
    ridge: float = 0.0,
) -> Int[Tensor, " keep"]:
    """Backward elimination: which groups of features are kept, ascending.

    While more than ``keep`` groups are left, one group is removed: the one without which the
    least-squares loss of the others, refitted, grows least. With H the inverse of the Gram matrix
    and W = H · cross, leaving group g out increases the loss by tr(W_gᵀ H_gg⁻¹ W_g) (Hassibi &
    Stork, NeurIPS 1992).

    Args:
        gram: second moments of the features.
        cross: second moments of features with targets.
        keep: number of groups that are kept.
        group: size of a group; neighbouring features form a group.
        ridge: see ``least_squares``.
    """
    inverse = torch.linalg.inv(ridged(gram, ridge))
    weight = inverse @ cross
    groups = len(gram) // group
    alive = torch.ones(groups, dtype=torch.bool)
    blocks = torch.stack(
        [inverse[i : i + group, i : i + group] for i in range(0, len(gram), group)]
    )
    w = weight.view(groups, group, -1)
    scores = w @ w.transpose(1, 2)  # (groups, group, group), W_g W_gᵀ
    while (left := int(alive.sum()) - keep) > 0:
        _eliminate_some(inverse, weight, blocks, scores, alive, min(left, TOGETHER))
    return alive.nonzero()[:, 0]


def _eliminate_some(
    inverse: Tensor, weight: Tensor, blocks: Tensor, scores: Tensor, alive: Tensor, count: int
) -> None:
    """Leave ``count`` groups out, one by one; all arguments are updated in place.

    The current inverse is ``inverse − u uᵀ`` and the current weight is ``weight − u z``. Until the
    end, only the parts that are needed are computed.
    """
    groups, group, _ = blocks.shape
    u = torch.zeros(len(inverse), count * group, dtype=inverse.dtype)
    z = torch.zeros(count * group, weight.shape[1], dtype=weight.dtype)
    for n in range(count):
        done = slice(0, n * group)
        loss = torch.linalg.solve(blocks, scores).diagonal(dim1=1, dim2=2).sum(dim=1)
        worst = int(loss.masked_fill(~alive, torch.inf).argmin())
        at = slice(worst * group, (worst + 1) * group)
        columns = inverse[:, at] - u[:, done] @ u[at, done].T  # (n, group)
        own = weight[at] - u[at, done] @ z[done]  # (group, d)
        root = torch.linalg.cholesky(torch.linalg.inv(columns[at]))
        new = slice(n * group, (n + 1) * group)
        products = (weight @ own.T - u[:, done] @ (z[done] @ own.T)).view(groups, group, group)
        u[:, new], z[new] = columns @ root, root.T @ own
        share = (u[:, new] @ root.T).view(groups, group, group)
        change = share @ products.transpose(1, 2)
        scores -= change + change.transpose(1, 2) - share @ (own @ own.T) @ share.transpose(1, 2)
        part = u[:, new].view(groups, group, group)
        blocks -= part @ part.transpose(1, 2)
        alive[worst] = False
        blocks[worst] = torch.eye(group, dtype=blocks.dtype)
        scores[worst] = 0.0
    inverse -= u @ u.T
    weight -= u @ z


def match_products(
    queries: Float[Tensor, "heads d d"], keys: Float[Tensor, "heads d d"], rank: int
) -> tuple[Float[Tensor, "heads d rank"], Float[Tensor, "heads d rank"]]:
    """Matrices P and Q so that (Pᵀq)ᵀ(Qᵀk) is the best approximation of qᵀk with this rank.

    They minimise E(qᵀk − qᵀPQᵀk)² for independent q and k. They come from the truncated singular
    value decomposition of Cq^½ Ck^½.

    Args:
        queries: second moments E[qqᵀ] of each head.
        keys: E[kkᵀ].
        rank: r ≤ d.
    """
    query_root, query_inverse = _roots(queries)
    key_root, key_inverse = _roots(keys)
    left, values, right = torch.linalg.svd(query_root @ key_root)
    scale = values[:, None, :rank].sqrt()
    p = query_inverse @ (left[..., :rank] * scale)
    q = key_inverse @ (right.transpose(1, 2)[..., :rank] * scale)
    return p, q


def leading_rows(
    weight: Float[Tensor, "heads D d"], moment: Float[Tensor, "heads d d"], rank: int
) -> Float[Tensor, "heads rank d"]:
    """V so that, with some U, U V is the best approximation of ``weight`` with this rank
    on its inputs.

    It minimises E‖Wx − UVx‖²: V = UᵀW with U the leading left singular vectors of W C^½.

    Args:
        weight: W of each head.
        moment: C = E[xxᵀ] of each head's inputs.
        rank: r ≤ d.
    """
    root, _ = _roots(moment)
    left, _, _ = torch.linalg.svd(weight @ root, full_matrices=False)
    return left[..., :rank].transpose(1, 2) @ weight


def _roots(moment: Float[Tensor, "heads d d"]) -> tuple[Tensor, Tensor]:
    """The square root of positive semidefinite matrices, and the pseudo-inverse of this root."""
    values, vectors = torch.linalg.eigh(moment)
    kept = values > NEGLIGIBLE * values[:, -1:]
    root = torch.where(kept, values, 0.0).sqrt()
    inverse = torch.where(kept, values, 1.0).rsqrt() * kept
    back = vectors.transpose(1, 2)
    return (vectors * root[:, None]) @ back, (vectors * inverse[:, None]) @ back
