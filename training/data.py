"""Drawings, captions and the tokenizer.

`.bin` files hold WebP pictures end to end; they become one uint8 bank [n, 4, S, S] of premultiplied RGBA. Captions are
put together from the CLDR name and keywords of what is drawn. Texts are cut as bert-base-uncased cuts them, with a
vocabulary of the captions' own words and of single letters, so that an unknown word is spelled out.
"""
import collections
import io
import json
import multiprocessing
import os
import random
import re
import unicodedata

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

MONO = ("emojione-monotone", "fluent-emoji-high-contrast", "ph", "tabler", "lucide")  # black ink alone
# Say little about a picture.
PLAIN = "a an the of to and with from in on picture drawing icon emoji , . : ##s ##es ( ) “ ” ’ \" '".split()
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ENDINGS = ["s", "es", "ing", "ed", "er", "y", "ly", "ies", "al", "ful", "less", "man", "like"]
PREFIXES = ["", "", "", "", "a ", "the ", "a picture of ", "a drawing of ", "an icon of ", "emoji of ", "picture of a "]
# A drawing of these must not be mirrored, or not be recoloured.
SIDED = re.compile(r"left|right|arrow|clock|button|letter|input|symbol|sign|moon|quarter|east|west|thirty|hundred|latin|mark|abc")
COLOURED = re.compile(r"red|orange|yellow|green|blue|purple|pink|brown|black|white|gr[ae]y|colou?r|gold|silver|rainbow|medal|flag")


# ---- tokenizer ----


def basic_tokens(text):
    """BERT's BasicTokenizer: no control characters, lower case, no accents, punctuation and CJK apart."""
    text = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    text = "".join(f" {c} " if is_cjk(c) else c for c in text)
    text = "".join(c for c in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(c) != "Mn")
    return "".join(f" {c} " if is_punctuation(c) else c for c in text).split()


def is_cjk(c):
    return "\u3400" <= c <= "\u4dbf" or "\u4e00" <= c <= "\u9fff" or "\uf900" <= c <= "\ufaff" or c >= "\U00020000"


def is_punctuation(c):
    return c.isascii() and not c.isalnum() and not c.isspace() or unicodedata.category(c)[0] == "P"


class Tokenizer:
    def __init__(self, words, length):
        self.words, self.length = list(words), length
        self.ids = {w: i for i, w in enumerate(self.words)}

    def pieces(self, word):
        """WordPiece: the longest beginning that is in the vocabulary, then the longest continuation, and so on."""
        out, start = [], 0
        while start < len(word):
            end = len(word)
            while end > start and ("##" if start else "") + word[start:end] not in self.ids:
                end -= 1
            if end == start or len(word) > 100:
                return [self.ids["[UNK]"]]
            out.append(self.ids[("##" if start else "") + word[start:end]])
            start = end
        return out

    def encode(self, text):
        ids = [i for w in basic_tokens(text) for i in self.pieces(w)]
        return [self.ids["[CLS]"], *ids[: self.length - 2], self.ids["[SEP]"]]

    def rows(self, texts):  # -> int64 array [B, length], 0 where there is no token
        out = np.zeros((len(texts), self.length), np.int64)
        for row, text in zip(out, texts):
            ids = self.encode(text)
            row[: len(ids)] = ids
        return out

    def batch(self, texts):
        return torch.from_numpy(self.rows(texts))

    def weights(self):
        """[words]: how often to mask each: never the specials, seldom what says little about a picture."""
        return torch.tensor([0.0 if w in SPECIAL else 0.1 if w in PLAIN else 1.0 for w in self.words])


def build_vocabulary(concepts, extra_words, size):
    """Specials, signs, letters, their continuations, word endings, then the most frequent words."""
    signs = list("abcdefghijklmnopqrstuvwxyz0123456789!\"#$%&'()*+,-./:;?@")
    count = collections.Counter()
    for c in concepts:  # every word of an emoji, those of general icons where two or more have it
        for text in [c["tts"], *c["keywords"]]:
            for w in filter(str.isascii, basic_tokens(text)):
                count[w] += 2 if "char" in c else 1
    # A regular plural is its noun and ##s: seen for one noun, understood for all.
    words = [w for w, n in count.most_common() if n > 1 and not (w.endswith("s") and not w.endswith("ss") and w[:-1] in count)]
    vocabulary = [*SPECIAL, *signs, *(f"##{s}" for s in signs[:36]), *(f"##{e}" for e in ENDINGS), *extra_words, *words]
    return list(dict.fromkeys(vocabulary))[:size]


def vocabulary_beside(path):
    """The words of the weights at `path`: of vocab.txt in their folder, or of tokenizer.json."""
    folder = os.path.dirname(path)
    if os.path.exists(f"{folder}/vocab.txt"):
        return open(f"{folder}/vocab.txt", encoding="utf-8").read().splitlines()
    words = json.load(open(f"{folder}/tokenizer.json", encoding="utf-8"))["model"]["vocab"]
    return sorted(words, key=words.get)


def grown(words, texts, size):
    """The same words, then the most frequent of the texts that it spells in pieces; no plural of a known word."""
    known, count = set(words), collections.Counter()
    for text in json.load(open(texts))["texts"]:
        count.update(w for w in basic_tokens(text) if w.isascii() and w.isalpha() and len(w) > 1)
    plural = lambda w: w.endswith("s") and not w.endswith("ss") and (w[:-1] in known or w[:-1] in count)
    new = [w for w, n in count.most_common() if n > 2 and w not in known and not plural(w)]
    return [*words, *new][: max(size, len(words))]


def described(path, concepts, tokenizer):
    """Texts of texts.py -> ids int16 [n, T]; right int16 [n, most right answers], filled up with `concepts`; how often to show each [n]."""
    file = json.load(open(path))
    texts, right = file["texts"], file["right"]
    with multiprocessing.Pool() as pool:
        rows = np.concatenate(pool.map(tokenizer.rows, [texts[i : i + 5000] for i in range(0, len(texts), 5000)], chunksize=1))
    table = np.full((len(texts), max(map(len, right))), concepts, np.int16)
    for row, some in zip(table, right):
        row[: len(some)] = some
    return torch.from_numpy(rows.astype(np.int16)), torch.from_numpy(table), torch.tensor(file["times"]).clamp(max=30).float()


# ---- captions ----


def caption(concept, rng):
    """One of the ways to ask for a drawing: by its name, name and keywords, or keywords alone."""
    tts, keywords, r = concept["tts"], concept["keywords"], rng.random()
    if r < 0.45 or not keywords:
        return rng.choice(PREFIXES) + tts
    if r < 0.58:
        return tts + ", " + ", ".join(rng.sample(keywords, min(len(keywords), rng.randint(1, 3))))
    if r < 0.92:
        return rng.choice([" ", " ", ", "]).join(rng.sample(keywords, min(len(keywords), rng.randint(2, 4))))
    return rng.choice(PREFIXES) + rng.choice(keywords)


def captions_of(concepts, tokenizer, variants):  # -> [concepts, variants, T]
    jobs = [(i, concepts[i : i + 200], tokenizer, variants) for i in range(0, len(concepts), 200)]
    with multiprocessing.Pool() as pool:  # the children use NumPy alone: PyTorch's threads do not survive a fork
        rows = np.concatenate(pool.map(some_captions, jobs, chunksize=1))
    return torch.from_numpy(rows).reshape(len(concepts), variants, -1)


def some_captions(job):
    seed, concepts, tokenizer, variants = job
    rng = random.Random(seed)
    return tokenizer.rows([caption(c, rng) for c in concepts for _ in range(variants)])


def related(concepts):
    """[C, C]: pairs of which one's name is made of the other's words, where one comes from a general icon set.

    An outline named "apple" is neither right nor wrong for "red apple": such a pair is no negative.
    """
    words = [set(basic_tokens(c["tts"])) for c in concepts]
    every = [w | {t for k in c["keywords"] for t in basic_tokens(k)} for w, c in zip(words, concepts)]
    holders = collections.defaultdict(set)
    for i, ws in enumerate(every):
        for w in ws:
            holders[w].add(i)
    out = torch.zeros(len(concepts), len(concepts), dtype=torch.bool)
    for i, c in enumerate(concepts):
        if "char" in c:
            continue
        for j in set.intersection(*(holders[w] for w in words[i])) if words[i] else ():
            out[i, j] = out[j, i] = True
    for i, c in enumerate(concepts):
        if "char" in c and words[i]:
            for j in set.intersection(*(holders[w] for w in words[i])):
                if "char" not in concepts[j]:
                    out[i, j] = out[j, i] = True
    return out


# ---- drawings ----


def decode(webp):
    return np.array(Image.open(io.BytesIO(webp)).convert("RGBA"))


def load_drawings(folder, name, limit=None):
    """-> styles [n], concepts [n], pictures uint8 [n, 4, S, S] (RGBA as stored)."""
    index = json.load(open(f"{folder}/{name}.json"))
    data, rows, at = open(f"{folder}/{name}.bin", "rb").read(), [], 0
    for style, concept, size in index["rows"]:
        rows.append((style, concept, data[at : at + size]))
        at += size
    if limit:
        rows = random.Random(0).sample(rows, min(limit, len(rows)))
    with multiprocessing.Pool() as pool:
        pictures = pool.map(decode, [r[2] for r in rows], chunksize=64)
    pictures = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()
    return [r[0] for r in rows], torch.tensor([r[1] for r in rows]), pictures


def premultiply(pictures):
    alpha = pictures[:, 3:].float() / 255
    return torch.cat([(pictures[:, :3].float() * alpha).round().to(torch.uint8), pictures[:, 3:]], 1)


def filled(pictures, generator):
    """Line drawings with their closed shapes filled in one colour each, as outline fonts with flat fills look.

    pictures: premultiplied uint8 [n, 4, S, S]. Returns the filled ones and which of the given they are.
    """
    ink = pictures[:, 3:].float() / 255
    paper = (ink < 0.5).to(ink.dtype)
    outside = F.pad(torch.zeros_like(paper[..., 1:-1, 1:-1]), (1, 1, 1, 1), value=1.0) * paper
    for _ in range(3 * paper.shape[-1]):
        outside = F.max_pool2d(outside, 3, 1, 1) * paper
    inside = paper - outside
    some = inside.mean((1, 2, 3)) > 0.04
    ink, inside = ink[some], F.max_pool2d(inside[some], 3, 1, 1)
    colour = torch.rand(len(ink), 3, 1, 1, generator=generator, device=generator.device).to(ink.device) * 0.85 + 0.15
    rgb = pictures[some][:, :3].float() / 255 + inside * (1 - ink) * colour
    alpha = ink + inside * (1 - ink)
    return (torch.cat([rgb, alpha], 1) * 255).round().to(torch.uint8), some
