"""Stage 3b: measures an exported checkpoint on the held-out style, in float32 on the float16 weights.

    python3 training/evaluate.py .train/result --data .train/data [--heads 4] [--queries twenty.png]

FOLDER holds vlmo_demo.pt and vocab.txt. Queries are CLDR names, three random keywords, and captions of 1,000 scenes made
of held-out drawings: 250 families of four that differ in one point each; and the free descriptions of judging.tsv. Re-ranking takes the top 32 by cosine and sorts
them by the fusion encoder's log-odds of a match, alone and added to exp(logit_scale) cosine. Prints the figures and writes
FOLDER/figures.json. Confidence intervals are 95 %, bootstrapped over queries (over families for scenes).
"""
import argparse
import json
import random

import numpy as np
import torch
from PIL import Image, ImageDraw

import data
import judge
import scenes
from model import load

TOP = 32


# ---- pictures in, vectors out ----


def flatten(pictures):
    """Premultiplied uint8 RGBA [n, 4, S, S] on white, -> [n, 3, S, S] in -1..1."""
    x = pictures.float() / 255
    return (x[:, :3] + 1 - x[:, 3:]) * 2 - 1


def prepare(pictures, size):
    """uint8 RGB pictures as the product reads them: bicubic to a square as Pillow does, mean and deviation 0.5."""
    resized = [np.array(Image.fromarray(p).resize((size, size), Image.BICUBIC)) for p in pictures]
    return torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2).float() / 127.5 - 1


@torch.no_grad()
def embed(model, pictures, ids, device):
    e = torch.cat([model.image(x.to(device)) for x in pictures.split(256)]) if len(pictures) else None
    return e, torch.cat([model.text(t.to(device)) for t in ids.split(256)])


@torch.no_grad()
def match_scores(model, pictures, ids, device):
    """Log-odds that a picture and a text belong together, row by row."""
    out = model.match(pictures.to(device), ids.to(device))
    return (out[:, 1] - out[:, 0]).cpu()


# ---- ranks ----


def ranks(similarity):
    """How many rank before the right one, which is on the diagonal."""
    return (similarity > similarity.diag()[:, None]).sum(1).cpu()


def recall(rank, k):
    return round(100 * float((rank < k).float().mean()), 1)


def rank_stats(similarity):
    r = ranks(similarity)
    return [recall(r, k) for k in (1, 5, 10)]


def rerank(model, similarity, pictures, ids, device):
    """Ranks of the right picture by cosine; with the top 32 sorted by match; and by match and cosine together.

    Together: log-odds of the match + exp(logit_scale) cosine, as both are log-likelihoods. Below the top nothing moves.
    """
    similarity, top = similarity.cpu(), min(TOP, len(pictures))
    rows = torch.arange(len(ids))
    best = similarity.topk(top, 1)
    some = zip(best.indices.split(16), rows.split(16))
    match = [match_scores(model, pictures[b.flatten()], ids[r].repeat_interleave(top, 0), device) for b, r in some]
    match = torch.cat(match).view(-1, top)
    scale = float(model.logit_scale.detach().exp().clamp(max=100))
    before, right = ranks(similarity), best.indices == rows[:, None]

    def after(scores):
        own = (scores * right).sum(1, keepdim=True)
        return torch.where(right.any(1), (scores > own).sum(1), before)

    return before, after(match), after(match + scale * best.values)


def interval(hits, groups=None, rounds=2000):
    """Mean in percent with its 95 % bootstrap interval; groups: cluster of each query."""
    hits, rng = np.asarray(hits, float), np.random.default_rng(0)
    groups = np.arange(len(hits)) if groups is None else np.asarray(groups)
    means = np.bincount(groups, hits) / np.bincount(groups)  # clusters are of one size
    draws = means[rng.integers(0, len(means), (rounds, len(means)))].mean(1)
    low, high = np.percentile(draws, [2.5, 97.5])
    return [round(100 * float(v), 1) for v in (hits.mean(), low, high)]


def table(rank, groups=None):
    return {f"recall@{k}": interval(rank < k, groups) for k in (1, 5, 10)}


# ---- the held-out style ----


def main():
    p = argparse.ArgumentParser()
    p.add_argument("folder")
    p.add_argument("--checkpoint", default="vlmo_demo.pt")
    p.add_argument("--data", default=".train/data")
    p.add_argument("--heads", type=int, help="where the checkpoint does not say")
    p.add_argument("--out", help="default FOLDER/figures.json")
    p.add_argument("--queries", help="write a picture of twenty queries with their top five")
    p.add_argument("--families", type=int, default=250)
    p.add_argument("--limit", type=int)
    o = p.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    model = load(f"{o.folder}/{o.checkpoint}", o.heads).to(device)
    tokenizer = data.Tokenizer(open(f"{o.folder}/vocab.txt").read().splitlines(), model.config.text_length)
    size = model.config.image_size
    concepts = json.load(open(f"{o.data}/concepts.json"))
    _, concept, pictures = data.load_drawings(o.data, "openmoji", o.limit)
    pictures = data.premultiply(pictures)
    drawn = [concepts[c] for c in concept.tolist()]
    white = (((pictures[:, :3].int() + 255 - pictures[:, 3:].int()).clamp(0, 255)).to(torch.uint8)).permute(0, 2, 3, 1).numpy()
    x = prepare(white, size)

    names = [c["tts"] for c in drawn]
    ids = tokenizer.batch(names)
    e, t = embed(model, x, ids, device)
    similarity = t @ e.t()
    figures = {"drawings": len(drawn), "chance": {f"recall@{k}": round(100 * k / len(drawn), 2) for k in (1, 5, 10)}}
    figures["text to image"] = table(ranks(similarity))
    figures["image to text"] = table(ranks(similarity.t()))

    rng = random.Random(0)
    rich = [i for i, c in enumerate(drawn) if len(c["keywords"]) >= 3]
    queries = [" ".join(rng.sample(drawn[i]["keywords"], 3)) for i in rich]
    _, k = embed(model, x[:0], tokenizer.batch(queries), device)
    s = k @ e.t()
    own = s[torch.arange(len(rich)), torch.tensor(rich)]
    figures["three keywords"] = {"queries": len(rich), **table((s > own[:, None]).sum(1).cpu())}

    texts, right = judge.descriptions("judging", names)
    _, k = embed(model, x[:0], tokenizer.batch(texts), device)
    first, five, places = judge.hits(k @ e.t(), right)
    figures["free descriptions"] = {
        "queries": len(texts), "right at 1": interval(first), "precision at 5": interval(five),
        "precision at 5, of as many as are right": interval(places), "best possible precision at 5": interval(right.sum(1).clamp(max=5) / 5)[0],
    }  # fmt: skip

    _, match, both = rerank(model, similarity, x, ids, device)
    figures["text to image, re-ranked"] = {"by match": table(match), "by match and cosine": table(both)}

    picture_of = {c: p for c, p in zip(concept.tolist(), pictures)}
    words = {w: c for w, c in scenes.nouns(concepts).items() if c in picture_of}
    captions, arrays, backs = scenes.held_out(words, o.families, 4, seed=scenes.HELD_OUT_SEED)
    drawn_scenes = scenes.draw_held_out(arrays, backs, picture_of)
    sx, sids = prepare(drawn_scenes, size), tokenizer.batch(captions)
    se, st = embed(model, sx, sids, device)
    before, match, both = rerank(model, st @ se.t(), sx, sids, device)
    families = np.arange(len(captions)) // 4
    gain = lambda after: interval((after < 1).float() - (before < 1).float(), families)
    figures["scenes"] = {
        "scenes": len(captions), "right one in the top 32": recall(before, TOP), "cosine": table(before, families),
        "re-ranked by match": {**table(match, families), "gain at recall@1": gain(match)},
        "re-ranked by match and cosine": {**table(both, families), "gain at recall@1": gain(both)},
    }  # fmt: skip
    of = lambda pictures, texts: judge.calibration(judge.match_pairs(model, pictures, texts, device))
    figures["calibration error of the match probability"] = {"drawings": of(x, ids), "scenes": of(sx, sids)}
    print(json.dumps(figures, indent=1))
    json.dump(figures, open(o.out or f"{o.folder}/figures.json", "w"), indent=1)
    if o.queries:
        show(o.queries, model, tokenizer, e, white, names, se, st, sx, sids, drawn_scenes, captions, device)


# ---- twenty queries, failures included ----

ASKED = ["dog", "a slice of pizza", "something to drink", "musical instrument", "king of the jungle", "flying machine", "sad face",
         "red fruit", "snow"]  # fmt: skip


def show(path, model, tokenizer, e, white, names, se, st, sx, sids, drawn_scenes, captions, device):
    """Free words, then names and scene captions drawn at random; the right answer is framed where there is one."""
    rng = random.Random(5)
    rows = []
    picked = rng.sample(range(len(names)), 6)
    texts = [(q, None) for q in ASKED] + [(names[i], i) for i in picked]
    _, t = embed(model, sx[:0], tokenizer.batch([q for q, _ in texts]), device)
    for (q, right), v in zip(texts, t):
        rows.append((q, right, (e @ v).topk(5).indices.tolist(), white))
    for i in rng.sample(range(len(captions)), 5):
        best = (se @ st[i]).topk(min(TOP, len(se))).indices.cpu()
        score = match_scores(model, sx[best], sids[i : i + 1].repeat(len(best), 1), device)
        rows.append((captions[i], i, best[score.argsort(descending=True)][:5].tolist(), drawn_scenes))
    cell, text = 96, 330
    sheet = Image.new("RGB", (text + 5 * (cell + 8), len(rows) * (cell + 8)), "white")
    pen = ImageDraw.Draw(sheet)
    for r, (q, right, best, from_) in enumerate(rows):
        y = r * (cell + 8)
        pen.text((8, y + cell // 2 - 6), q if len(q) < 52 else q[:50] + "\n" + q[50:], fill="black")
        for c, i in enumerate(best):
            at = (text + c * (cell + 8), y + 4)
            sheet.paste(Image.fromarray(from_[i]).resize((cell, cell), Image.BICUBIC), at)
            colour = "#1a9c3c" if i == right else "#cccccc"
            pen.rectangle((at[0] - 2, at[1] - 2, at[0] + cell + 1, at[1] + cell + 1), outline=colour, width=2)
    sheet.save(path)


if __name__ == "__main__":
    main()
