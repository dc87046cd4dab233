"""Free descriptions with their right answers (judging.tsv, tuning.tsv), and how far a match probability can be believed.

A line of a .tsv: the description, a tab, the CLDR names of all drawings that are right for it, with | between.
"""
import os

import numpy as np
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
BINS = 15
WRONG = 50  # wrong pictures for each right one, at most


def descriptions(file, names):
    """-> texts, right [texts, drawings]: those of the file with a right answer among the drawings of these names."""
    rows = [line.rstrip("\n").split("\t") for line in open(f"{HERE}/{file}.tsv", encoding="utf-8")]
    right = torch.tensor([[n in answers.split("|") for n in names] for _, answers in rows])
    some = right.any(1)
    return [text for (text, _), s in zip(rows, some.tolist()) if s], right[some]


def hits(similarity, right):
    """For each description: is the first drawing right; how many of the first five; and of as many as there are right ones, five at most."""
    order = similarity.cpu().argsort(1, descending=True)[:, :5]
    found = right.gather(1, order).float()
    places = right.sum(1).clamp(max=5)
    within = torch.arange(5)[None] < places[:, None]
    return found[:, 0].numpy(), found.mean(1).numpy(), ((found * within).sum(1) / places).numpy()


def calibration_error(odds, right):
    """Expected calibration error: the mean gap between probability and share of right pairs, over 15 bins of probability."""
    p, right = 1 / (1 + np.exp(-np.asarray(odds, np.float64))), np.asarray(right, float)
    bins = np.minimum((p * BINS).astype(int), BINS - 1)
    count = np.bincount(bins, minlength=BINS)
    gap = np.abs(np.bincount(bins, p, BINS) - np.bincount(bins, right, BINS))
    return round(float(gap.sum() / count.sum()), 4)


@torch.no_grad()
def match_pairs(model, pictures, ids, device, wrong=WRONG, seed=0):
    """Log-odds [n, 1 + wrong] of n texts with their own picture, then with wrong ones drawn at random."""
    n, g = len(pictures), torch.Generator().manual_seed(seed)
    other = (torch.arange(n)[:, None] + torch.randint(1, n, (n, wrong), generator=g)) % n
    partner = torch.cat([torch.arange(n)[:, None], other], 1)
    out = []
    for rows in torch.arange(n).split(16):
        logits = model.match(pictures[partner[rows].flatten()].to(device), ids[rows].repeat_interleave(1 + wrong, 0).to(device))
        out.append((logits[:, 1] - logits[:, 0]).view(len(rows), -1).cpu())
    return torch.cat(out).numpy()


def calibration(odds):
    """-> the error for one wrong picture beside each right one, and for fifty."""
    label = lambda k: np.broadcast_to(np.arange(1 + k) == 0, (len(odds), 1 + k)).ravel()
    return {f"1:{k}": calibration_error(odds[:, : 1 + k].ravel(), label(k)) for k in (1, odds.shape[1] - 1)}


def fit(odds):
    """(a, c): odds -> a odds + c that make both mixtures likeliest together, the two counted alike."""
    x = torch.tensor(odds, dtype=torch.float64)
    a, c = torch.ones((), dtype=torch.float64, requires_grad=True), torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([a, c], max_iter=100, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        y = torch.nn.functional.softplus
        right, wrong = y(-(a * x[:, 0] + c)).mean(), y(a * x[:, 1:] + c).mean()
        k = x.shape[1] - 1
        total = (right + wrong) / 2 + (right + k * wrong) / (1 + k)
        total.backward()
        return total

    optimizer.step(loss)
    return a.item(), c.item()
