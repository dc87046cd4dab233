"""Stage 2: trains VLMo on the drawings as its paper does: image-text contrast (ITC), image-text matching (ITM) with hard
negatives, masked words (MLM).

    python3 training/train.py --compile --out .train/run
    python3 training/train.py --compile --init .train/run/model.pt --out .train/polished
    python3 training/train.py --compile --init .train/run/model.pt --out .train/polished --resume .train/polished     on another machine

A step is one pass over the things drawn: every emoji once, in a style drawn at random, some icons of the general sets,
and families of four scenes that differ in one point each. ITC contrasts them, with one scene of each family: what tells
siblings apart is left to the fusion encoder. ITM sends texts through it with the right picture and wrong ones, a
scene's siblings and what contrast finds similar; MLM has it guess words from the picture. With --init it goes on from
given weights and turns to what searches drawings by their names: ITC weighs more, half of the captions are plain names,
MLM is left out, and texts.py's descriptions are contrasted with all drawings that they may mean; words of these that the
vocabulary lacks are added to it. Writes OUT/model.pt (averaged weights, float32, official key layout, as of when the tuning style was
found best), OUT/log.json and now and then OUT/checkpoint.* (files of at most 15 MB; --resume goes on from them). Seeds are fixed; the last digits still differ between GPUs.
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

import checkpoint
import data
import judge
import scenes
from augment import augment
from evaluate import embed, flatten, rank_stats, recall, rerank
from losses import step_loss
from model import Config, VLMo, WordHead, weights

# Defaults of the second stage (--init).
POLISH = {"steps": 6000, "minutes": 9.3, "lr": 8e-4, "names": 0.5, "families": 80, "matches": 160, "masked": 0, "fused_from": 0.0,
          "itm_weight": 0.5, "pool": 20_000, "log_every": 100, "descriptions": 1536, "described_matches": 96, "vocabulary": 6500}  # fmt: skip


def options():
    p = argparse.ArgumentParser()
    p.add_argument("--data", default=".train/data")
    p.add_argument("--out", default=".train/run")
    p.add_argument("--init", help="weights to go on from (.pt or .safetensors): the second stage, with its own defaults")
    p.add_argument("--steps", type=int, default=6000)
    p.add_argument("--minutes", type=float, default=17.5, help="ends the schedule by this time where the machine is slower")
    p.add_argument("--emoji", type=int, default=1588, help="emoji drawings a step")
    p.add_argument("--icons", type=int, default=300, help="drawings of the general icon sets a step")
    p.add_argument("--names", type=float, default=0.0, help="share of the single drawings captioned by the plain name")
    p.add_argument("--families", type=int, default=160, help="families of four sibling scenes a step")
    p.add_argument("--contrasted", type=int, default=1, help="scenes of a family that ITC sees; the others are left to ITM")
    p.add_argument("--matches", type=int, default=512, help="single drawings a step that ITM sees")
    p.add_argument("--masked", type=int, default=1024, help="pairs a step that MLM sees")
    p.add_argument("--descriptions", type=int, default=0, help="texts of texts.py a step")
    p.add_argument("--described-matches", type=int, default=0, help="of these, those that ITM sees")
    p.add_argument("--resume", help="folder with a checkpoint of this stage")
    p.add_argument("--checkpoint-every", type=float, default=60, help="seconds")
    p.add_argument("--fused-from", type=float, default=0.04, help="part of the training after which ITM and MLM begin")
    p.add_argument("--itm-weight", type=float, default=2.0)
    p.add_argument("--pool", type=int, default=50_000, help="families of scenes made in advance")
    p.add_argument("--lr", type=float, default=1e-3)
    p.add_argument("--decay", type=float, default=0.1)
    p.add_argument("--vocabulary", type=int, default=4400)
    p.add_argument("--dev-style", default="fxemoji", help="held out of training, for tuning")
    p.add_argument("--dev-families", type=int, default=75, help="scenes for tuning: four each")
    p.add_argument("--limit", type=int, help="use this many drawings only")
    p.add_argument("--depth", type=int, default=7)
    p.add_argument("--width", type=int, default=256)
    p.add_argument("--compile", action="store_true")
    p.add_argument("--log-every", type=int, default=250)
    if p.parse_args().init:
        p.set_defaults(**POLISH)
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
        self.names = tokenizer.batch([c["tts"] for c in concepts]).to(device)
        self.captions = data.captions_of(concepts, tokenizer, 96 if device == "cuda" else 8).to(device)
        self.related = data.related(concepts).to(device)
        if o.descriptions:
            self.described, self.right, self.often = (t.to(device) for t in data.described(f"{o.data}/texts.json", len(concepts), tokenizer))
            print(len(self.described), "descriptions", flush=True)
        there = (self.bank.count > 0).cpu()
        emoji = torch.tensor(["char" in c for c in concepts])
        self.is_emoji = emoji.to(device)
        self.emoji, self.icons = (torch.where(m & there)[0].to(device) for m in (emoji, ~emoji))
        self.mirror = torch.tensor([not data.SIDED.search(c["tts"]) for c in concepts]).to(device)
        self.free = torch.tensor([not data.COLOURED.search(c["tts"]) for c in concepts]).to(device)
        words = {w: c for w, c in scenes.nouns(concepts).items() if there[c]}
        jobs = [(i, o.pool // 50, words, tokenizer) for i in range(50)]
        with multiprocessing.Pool() as pool:
            parts = pool.map(scenes.make_pool, jobs, chunksize=1)
        self.pool = [torch.from_numpy(np.concatenate(p)).to(device) for p in zip(*parts)]
        self.palette = scenes.palette(device)
        self.maskable, self.mask = tokenizer.weights().to(device), tokenizer.ids["[MASK]"]
        ready = (lambda f: torch.compile(f, dynamic=False)) if o.compile else (lambda f: f)
        self.augment, self.compose = ready(augment), ready(scenes.compose)
        print(len(self.bank.concept), "drawings,", len(self.emoji), "emoji,", len(self.icons), "icons,", len(words), "nouns", flush=True)

    def singles(self):
        """-> pictures, ids, concepts."""
        dev, o = self.device, self.o
        shuffled = lambda x, n: x[torch.randperm(len(x), device=dev)[:n]]
        concept = torch.cat([shuffled(self.emoji, o.emoji), shuffled(self.icons, o.icons)])
        drawing = self.bank.pick(concept)
        rgba = self.bank.pictures[drawing].to(self.dtype) / 255
        x = self.augment(rgba, False, self.mirror[concept], self.free[concept], self.bank.mono[drawing])
        variant = torch.randint(self.captions.shape[1], concept.shape, device=dev)
        ids = self.captions[concept, variant]
        if o.names:
            named = torch.rand(len(concept), 1, device=dev) < o.names
            ids = torch.where(named, self.names[concept], ids)
        return x, ids, concept

    def descriptions(self, concept):
        """For drawings of these concepts -> ids [n, T], right and wrong [n, drawings]; another concept's general icon is neither."""
        rows = torch.multinomial(self.often, self.o.descriptions, replacement=True)
        right = torch.zeros(len(rows), len(self.names) + 1, dtype=torch.bool, device=self.device)
        right = right.scatter_(1, self.right[rows].long(), True)[:, concept]
        return self.described[rows].long(), right, ~right & self.is_emoji[concept][None]

    def scenes(self):
        """-> pictures, ids; four siblings side by side, in random order."""
        n = scenes.SIBLINGS
        family = torch.randint(len(self.pool[0]) // n, (self.o.families, 1), device=self.device)
        rows = family * n + torch.rand(self.o.families, n, device=self.device).argsort(1)
        concept, colour, boxes, ids = (p[rows.flatten()] for p in self.pool)
        drawings = self.bank.small[self.bank.pick(concept.clamp(min=0)).flatten()]
        drawings = (drawings.to(self.dtype) / 255).unflatten(0, concept.shape)
        px = self.bank.pictures.shape[-1]
        rgba = self.compose(drawings, boxes, self.palette[colour.clamp(min=0)], colour >= 0, px)
        return self.augment(rgba, True), ids


class Dev:
    """The style held out for tuning: names to drawings, and scenes made of its drawings."""

    def __init__(self, o, concepts, tokenizer, drawings):
        concept, pictures = drawings
        emoji = [i for i, c in enumerate(concept.tolist()) if "char" in concepts[c]]
        concept, pictures = concept[emoji], pictures[emoji]
        self.x = flatten(pictures)
        self.ids = tokenizer.batch([concepts[c]["tts"] for c in concept.tolist()])
        texts, self.right = judge.descriptions("tuning", [concepts[c]["tts"] for c in concept.tolist()])
        self.described = tokenizer.batch(texts)
        picture_of = {c: p for c, p in zip(concept.tolist(), pictures)}
        words = {w: c for w, c in scenes.nouns(concepts).items() if c in picture_of}
        captions, arrays, backs = scenes.held_out(words, o.dev_families, 4, seed=7)
        self.scene_x = (torch.from_numpy(scenes.draw_held_out(arrays, backs, picture_of, px=128)).permute(0, 3, 1, 2) / 127.5) - 1
        self.scene_ids = tokenizer.batch(captions)

    def figures(self, model, device):
        e, t = embed(model, self.x, self.ids, device)
        out = {"n": len(t), "t2i": rank_stats(t @ e.t()), "i2t": rank_stats(e @ t.t())}
        _, t = embed(model, self.x[:0], self.described, device)
        out["descriptions"] = [round(100 * float(h.mean()), 1) for h in judge.hits(t @ e.t(), self.right)]
        e, t = embed(model, self.scene_x, self.scene_ids, device)
        scene_ranks = rerank(model, t @ e.t(), self.scene_x, self.scene_ids, device)
        return {**out, "scenes by cosine, match, both": [recall(r, 1) for r in scene_ranks]}


class Best:
    """Keeps in OUT the weights that do best on the tuning style: drawings both ways, re-ranked scenes, and descriptions."""

    def __init__(self, o, dev, device, *saved):
        self.o, self.dev, self.device, self.saved, self.score = o, dev, device, saved, 0.0

    def judge(self, model):
        out = self.dev.figures(model, self.device)
        described = [out["descriptions"][0], out["descriptions"][2]]
        out["score"] = round(float(np.mean([*out["t2i"], *out["i2t"], out["scenes by cosine, match, both"][2], *described])), 2)
        if out["score"] >= self.score:
            self.score = out["score"]
            save(model, *self.saved, self.o.out)
        return out


def main():
    o = options()
    os.makedirs(o.out, exist_ok=True)
    start, device = time.time(), "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0), random.seed(0)
    torch.backends.cuda.matmul.allow_tf32 = True
    torch._dynamo.config.cache_size_limit = 64  # shapes: pictures, texts, both together; for each kind of block
    amp = lambda: torch.autocast("cuda", torch.bfloat16) if device == "cuda" else contextlib.nullcontext()
    concepts = json.load(open(f"{o.data}/concepts.json"))
    config = Config(vocab_size=0, depth=o.depth, width=o.width, vl_start=max(1, o.depth - 2))
    if o.init:
        old = data.vocabulary_beside(o.init)
        tokenizer = data.Tokenizer(data.grown(old, f"{o.data}/texts.json", o.vocabulary) if o.descriptions else old, config.text_length)
    else:
        tokenizer = data.Tokenizer(data.build_vocabulary(concepts, scenes.WORDS, o.vocabulary), config.text_length)
    config.vocab_size = len(tokenizer.words)
    batches = Batches(o, concepts, tokenizer, device)
    dev = Dev(o, concepts, tokenizer, batches.bank.dev)
    model = VLMo(config).to(device)
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters, {config.vocab_size} words, {device}, ready after {time.time() - start:.0f} s", flush=True)
    if o.init:
        begun = {k: v.to(device) for k, v in checkpoint.with_new_words(weights(o.init)[0], old, tokenizer).items()}
        assert not model.load_state_dict(begun, strict=False).missing_keys
    head = WordHead(config).to(device)
    from_step, from_seconds = 0, 0.0
    if o.resume:
        begun_again, from_step, from_seconds = checkpoint.load(o.resume)
        model.load_state_dict(begun_again)
    averaged = copy.deepcopy(model).eval().requires_grad_(False)
    if o.compile:
        for block in model.transformer.blocks:
            block.compile(dynamic=False)
    named = [*model.named_parameters(), *head.named_parameters()]
    flat = [p for n, p in named if p.dim() < 2 or "embed" in n]
    deep = [p for n, p in named if not (p.dim() < 2 or "embed" in n)]
    optimizer = torch.optim.AdamW(
        [{"params": deep, "weight_decay": o.decay}, {"params": flat, "weight_decay": 0.0}],
        lr=o.lr, betas=(0.9, 0.98), **({"fused": True} if device == "cuda" else {}),
    )  # fmt: skip
    kept, trained = list(averaged.parameters()), list(model.parameters())
    start, log, step, done, written = time.time() - from_seconds, [], from_step, 0.0, time.time()
    best = Best(o, dev, device, config, tokenizer)

    def note(row):
        log.append(row)
        print(json.dumps(row), flush=True)

    if o.init:
        note({"begun with": best.judge(averaged)})
    while done < 1:
        done = max(step / o.steps, (time.time() - start) / 60 / o.minutes)
        rate = o.lr * min(1, (step - from_step + 1) / 300) * (0.5 + 0.5 * math.cos(math.pi * min(1, done))) + 1e-6
        for group in optimizer.param_groups:
            group["lr"] = rate
        itc, itm, mlm, told = step_loss(model, head, batches, done >= o.fused_from, amp)
        optimizer.zero_grad(set_to_none=True)
        (itc + o.itm_weight * itm + mlm + told).backward()
        torch.nn.utils.clip_grad_norm_(flat + deep, 1.0)
        optimizer.step()
        step += 1
        with torch.no_grad():
            keep = min(0.998, (step - from_step) / (step - from_step + 10))
            torch._foreach_mul_(kept, keep)
            torch._foreach_add_(kept, trained, alpha=1 - keep)
        if step % o.log_every == 0 or done >= 1:
            row = {"seconds": round(time.time() - start), "step": step, "itc": round(itc.item(), 3), "itm": round(itm.item(), 3), "mlm": round(mlm.item(), 3), "descriptions": round(told.item(), 3)}
            if step % (4 * o.log_every) == 0 or done >= 1:
                row["dev"] = best.judge(averaged)
            note(row)
        if time.time() - written > o.checkpoint_every:
            checkpoint.save(o.out, averaged, step, time.time() - start)
            written = time.time()
    if o.init and not o.resume:  # a mean of where the stage began and where it ended may do better than either
        ended = {k: v.clone() for k, v in averaged.state_dict().items()}
        for share in (0.75, 0.5):
            averaged.load_state_dict({k: begun[k] * (1 - share) + v * share for k, v in ended.items()})
            note({"share of the end": share, "dev": best.judge(averaged)})
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
