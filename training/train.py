"""Stage 2: trains VLMo on the drawings: image-text contrast (ITC) and image-text matching (ITM) with hard negatives.

    python3 training/train.py --compile --out .train/first --steps 2400
    python3 training/train.py --compile --out .train/run --steps 2300 --itm-from 0 --resume .train/first/model.pt

A step is one pass over the things drawn: every emoji once, in a style drawn at random, some icons of the general sets,
and families of scenes. ITC contrasts all of them. ITM sends texts through the fusion encoder with four
pictures each: the right one, wrong ones drawn by contrastive similarity, and a scene's sibling. Writes OUT/model.pt (averaged
weights, float32, official key layout) and OUT/log.json. Seeds are fixed; the last digits still differ between GPUs.
"""
import argparse
import contextlib
import copy
import json
import math
import multiprocessing
import os
import random
import time

import numpy as np
import torch
import torch.nn.functional as F

import data
import scenes
from augment import augment
from evaluate import embed, flatten, rank_stats, recall, rerank
from model import Config, VLMo


def options():
    p = argparse.ArgumentParser()
    p.add_argument("--data", default=".train/data")
    p.add_argument("--out", default=".train/run")
    p.add_argument("--steps", type=int, default=2400)
    p.add_argument("--minutes", type=float, default=20, help="ends the schedule by this time where the machine is slower")
    p.add_argument("--emoji", type=int, default=1588, help="emoji drawings a step")
    p.add_argument("--icons", type=int, default=300, help="drawings of the general icon sets a step")
    p.add_argument("--families", type=int, default=384, help="pairs of sibling scenes a step")
    p.add_argument("--matches", type=int, default=320, help="single drawings a step that ITM sees")
    p.add_argument("--itm-from", type=float, default=0.05, help="part of the training after which ITM begins")
    p.add_argument("--pool", type=int, default=100_000, help="families of scenes made in advance")
    p.add_argument("--lr", type=float, default=1e-3)
    p.add_argument("--resume", help="weights to begin with: a model.pt")
    p.add_argument("--decay", type=float, default=0.1)
    p.add_argument("--vocabulary", type=int, default=4400)
    p.add_argument("--dev-style", default="fxemoji", help="held out of training, for tuning")
    p.add_argument("--dev-families", type=int, default=75, help="scenes for tuning: four each")
    p.add_argument("--limit", type=int, help="use this many drawings only")
    p.add_argument("--depth", type=int, default=7)
    p.add_argument("--width", type=int, default=256)
    p.add_argument("--compile", action="store_true")
    p.add_argument("--log-every", type=int, default=250)
    return p.parse_args()


class Bank:
    """All training drawings on the device, and which of them show a concept."""

    def __init__(self, o, concepts, device):
        styles, concept, pictures = data.load_drawings(o.data, "train", o.limit)
        dev = torch.tensor([s == o.dev_style for s in styles])
        self.dev = concept[dev], data.premultiply(pictures[dev])
        styles, concept = [s for s in styles if s != o.dev_style], concept[~dev]
        pictures = data.premultiply(pictures[~dev])
        line = torch.tensor([s in data.MONO for s in styles])
        lines, g = pictures[line].to(device), torch.Generator(device).manual_seed(0)
        parts = [data.filled(lines[i : i + 512], g) for i in range(0, len(lines), 512)]
        some = torch.cat([s for _, s in parts]).cpu()
        self.pictures = torch.cat([pictures.to(device), *(p for p, _ in parts)])
        self.mono = torch.cat([line, torch.zeros(int(some.sum()), dtype=torch.bool)]).to(device)
        self.small = torch.cat([F.avg_pool2d(p.float(), 2).round().to(torch.uint8) for p in self.pictures.split(1024)])
        self.concept = torch.cat([concept, concept[line][some]])
        holders = [[] for _ in concepts]
        for i, c in enumerate(self.concept.tolist()):
            holders[c].append(i)
        self.count = torch.tensor([len(h) for h in holders]).to(device)
        widest = int(self.count.max())
        self.table = torch.tensor([(h + [0] * widest)[:widest] for h in holders]).to(device)

    def pick(self, concept):
        """A random drawing of each concept."""
        r = (torch.rand(concept.shape, device=concept.device) * self.count[concept]).long()
        return self.table[concept, r]


class Batches:
    def __init__(self, o, concepts, tokenizer, device):
        self.o, self.device = o, device
        self.dtype = torch.float16 if device == "cuda" else torch.float32
        self.bank = Bank(o, concepts, device)
        self.captions = data.captions_of(concepts, tokenizer, 96 if device == "cuda" else 8).to(device)
        self.related = data.related(concepts).to(device)
        there = (self.bank.count > 0).cpu()
        emoji = torch.tensor(["char" in c for c in concepts])
        self.emoji, self.icons = (torch.where(m & there)[0].to(device) for m in (emoji, ~emoji))
        self.mirror = torch.tensor([not data.SIDED.search(c["tts"]) for c in concepts]).to(device)
        self.free = torch.tensor([not data.COLOURED.search(c["tts"]) for c in concepts]).to(device)
        words = {w: c for w, c in scenes.nouns(concepts).items() if there[c]}
        jobs = [(i, o.pool // 50, words, tokenizer) for i in range(50)]
        with multiprocessing.Pool() as pool:
            parts = pool.map(scenes.make_pool, jobs, chunksize=1)
        self.pool = [torch.from_numpy(np.concatenate(p)).to(device) for p in zip(*parts)]
        self.palette = scenes.palette(device)
        print(len(self.bank.concept), "drawings,", len(self.emoji), "emoji,", len(self.icons), "icons,", len(words), "nouns", flush=True)

    def singles(self):
        """-> pictures, ids, concepts."""
        dev, o = self.device, self.o
        shuffled = lambda x, n: x[torch.randperm(len(x), device=dev)[:n]]
        concept = torch.cat([shuffled(self.emoji, o.emoji), shuffled(self.icons, o.icons)])
        drawing = self.bank.pick(concept)
        rgba = self.bank.pictures[drawing].to(self.dtype) / 255
        x = augment(rgba, False, self.mirror[concept], self.free[concept], self.bank.mono[drawing])
        variant = torch.randint(self.captions.shape[1], concept.shape, device=dev)
        return x, self.captions[concept, variant], concept

    def scenes(self):
        """-> pictures, ids; rows 2i and 2i + 1 are siblings."""
        first = torch.randint(len(self.pool[0]) // 2, (self.o.families,), device=self.device) * 2
        concept, colour, boxes, ids = (p[torch.stack([first, first + 1], 1).flatten()] for p in self.pool)
        drawings = self.bank.small[self.bank.pick(concept.clamp(min=0)).flatten()]
        drawings = (drawings.to(self.dtype) / 255).unflatten(0, concept.shape)
        px = self.bank.pictures.shape[-1]
        rgba = scenes.compose(drawings, boxes, self.palette[colour.clamp(min=0)], colour >= 0, px)
        return augment(rgba, True), ids


def contrast(logits, same, neutral):
    """Symmetric cross-entropy with every right partner counted equally and neutral pairs left out."""
    target = same.float() / same.sum(1, keepdim=True)
    logits = logits.masked_fill(neutral, -1e4)
    return -(target * logits.log_softmax(1)).sum(1).mean() / 2 - (target * logits.log_softmax(0).t()).sum(1).mean() / 2


def hard(logits, forbidden):
    """One wrong partner a row, drawn by similarity."""
    return torch.multinomial(logits.masked_fill(forbidden, float("-inf")).softmax(1), 1)[:, 0]


def matching_groups(logits, forbidden, n, o):
    """(pictures [g, 4], texts [g]): for each text its picture first, then three wrong ones.

    Wrong pictures are drawn by similarity: sharply, softly, and for a scene its sibling, for a single drawing any. The
    first n rows are singles, the rest scenes.
    """
    dev = logits.device
    single = torch.randperm(n, device=dev)[: o.matches]
    s, f = logits[:n, :n].t()[single], forbidden[:n, :n][single]
    singles = torch.stack([single, hard(s, f), hard(s / 5, f), hard(s * 0, f)], 1)
    rows = torch.arange(len(logits) - n, device=dev)
    s, f = logits[n:, n:].t(), rows[:, None] // 2 == rows[None] // 2
    groups = n + torch.stack([rows, rows ^ 1, hard(s, f), hard(s / 5, f)], 1)
    return torch.cat([singles, groups]), torch.cat([single, n + rows])


def match_loss(logits):
    """logits [g, 4, 2], the right picture first: right or wrong for each, and the right one above the three."""
    right = torch.tensor([1, 0, 0, 0], device=logits.device).expand(len(logits), 4)
    weight = torch.tensor([1.0, 3.0], device=logits.device)
    each = F.cross_entropy(logits.flatten(0, 1), right.flatten(), weight)
    return each + F.cross_entropy(logits[..., 1] - logits[..., 0], right[:, 0] * 0)


def step_loss(model, batches, itm, amp):
    with torch.no_grad():
        x1, ids1, concept = batches.singles()
        x2, ids2 = batches.scenes()
        x, ids, n = torch.cat([x1, x2]).float(), torch.cat([ids1, ids2]), len(x1)
        label = torch.cat([concept, 10**6 + torch.arange(len(x2), device=x.device)])
        same = label[:, None] == label[None]
        neutral = torch.zeros_like(same)
        neutral[:n, :n] = batches.related[concept][:, concept] & ~same[:n, :n]
    with amp():
        logits = model.image(x) @ model.text(ids).t() * model.logit_scale.exp().clamp(max=100)
    itc = contrast(logits, same, neutral)
    if not itm:
        return itc, torch.zeros(())
    pictures, texts = matching_groups(logits.detach(), same | neutral, n, batches.o)
    with amp():
        match = model.match(x[pictures.flatten()], ids[texts.repeat_interleave(4)])
    return itc, match_loss(match.unflatten(0, (-1, 4)))


class Dev:
    """The style held out for tuning: names to drawings, and scenes made of its drawings."""

    def __init__(self, o, concepts, tokenizer, bank):
        concept, pictures = bank.dev
        emoji = [i for i, c in enumerate(concept.tolist()) if "char" in concepts[c]]
        concept, pictures = concept[emoji], pictures[emoji]
        self.x = flatten(pictures)
        self.ids = tokenizer.batch([concepts[c]["tts"] for c in concept.tolist()])
        picture_of = {c: p for c, p in zip(concept.tolist(), pictures)}
        words = {w: c for w, c in scenes.nouns(concepts).items() if c in picture_of}
        captions, arrays, backs = scenes.held_out(words, o.dev_families, 4, seed=7)
        self.scene_x = (torch.from_numpy(scenes.draw_held_out(arrays, backs, picture_of, px=128)).permute(0, 3, 1, 2) / 127.5) - 1
        self.scene_ids = tokenizer.batch(captions)

    def figures(self, model, device):
        e, t = embed(model, self.x, self.ids, device)
        out = {"n": len(t), "t2i": rank_stats(t @ e.t()), "i2t": rank_stats(e @ t.t())}
        e, t = embed(model, self.scene_x, self.scene_ids, device)
        scene_ranks = rerank(model, t @ e.t(), self.scene_x, self.scene_ids, device)
        return {**out, "scenes by cosine, match, both": [recall(r, 1) for r in scene_ranks]}


def main():
    o = options()
    os.makedirs(o.out, exist_ok=True)
    start, device = time.time(), "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0), random.seed(0)
    torch.backends.cuda.matmul.allow_tf32 = True
    amp = lambda: torch.autocast("cuda", torch.bfloat16) if device == "cuda" else contextlib.nullcontext()
    concepts = json.load(open(f"{o.data}/concepts.json"))
    config = Config(vocab_size=0, depth=o.depth, width=o.width, vl_start=max(1, o.depth - 2))
    tokenizer = data.Tokenizer(data.build_vocabulary(concepts, scenes.WORDS, o.vocabulary), config.text_length)
    config.vocab_size = len(tokenizer.words)
    batches = Batches(o, concepts, tokenizer, device)
    dev = Dev(o, concepts, tokenizer, batches.bank)
    model = VLMo(config).to(device)
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters, {config.vocab_size} words, {device}, ready after {time.time() - start:.0f} s", flush=True)
    if o.resume:
        model.load_state_dict(torch.load(o.resume, map_location="cpu")["state_dict"], strict=False)
    averaged = copy.deepcopy(model).eval().requires_grad_(False)
    if o.compile:
        for block in model.transformer.blocks:
            block.compile(dynamic=False)
    flat = [p for n, p in model.named_parameters() if p.dim() < 2 or "embed" in n]
    deep = [p for n, p in model.named_parameters() if not (p.dim() < 2 or "embed" in n)]
    optimizer = torch.optim.AdamW(
        [{"params": deep, "weight_decay": o.decay}, {"params": flat, "weight_decay": 0.0}],
        lr=o.lr, betas=(0.9, 0.98), **({"fused": True} if device == "cuda" else {}),
    )  # fmt: skip
    start, log, step, done = time.time(), [], 0, 0.0
    while done < 1:
        done = max(step / o.steps, (time.time() - start) / 60 / o.minutes)
        rate = o.lr * min(1, (step + 1) / 300) * (0.5 + 0.5 * math.cos(math.pi * min(1, done))) + 1e-6
        for group in optimizer.param_groups:
            group["lr"] = rate
        itc, itm = step_loss(model, batches, done >= o.itm_from, amp)
        optimizer.zero_grad(set_to_none=True)
        (itc + itm).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        with torch.no_grad():
            keep = min(0.998, step / (step + 10))
            for a, b in zip(averaged.parameters(), model.parameters()):
                a.lerp_(b, 1 - keep)
        if step % o.log_every == 0 or done >= 1:
            row = {"seconds": round(time.time() - start), "step": step, "itc": round(itc.item(), 3), "itm": round(itm.item(), 3)}
            if step % (4 * o.log_every) == 0 or done >= 1:
                row["dev"] = dev.figures(averaged, device)
                save(averaged, config, tokenizer, o.out)
            log.append(row)
            print(json.dumps(row), flush=True)
    json.dump({"options": vars(o), "log": log}, open(f"{o.out}/log.json", "w"), indent=1)


def save(model, config, tokenizer, out):
    sd = {k: v.detach().cpu().clone() for k, v in model.state_dict().items()}
    sd["text_embeddings.position_ids"] = torch.arange(config.text_length)[None]
    settings = {"image_size": config.image_size, "max_text_len": config.text_length, "num_heads": config.heads}
    file = {"state_dict": sd, "hyper_parameters": {"config": settings}}
    torch.save(file, f"{out}/model.pt.part")
    os.replace(f"{out}/model.pt.part", f"{out}/model.pt")
    open(f"{out}/vocab.txt", "w").write("".join(f"{w}\n" for w in tokenizer.words))


if __name__ == "__main__":
    main()
