"""VLMo in PyTorch, small enough to read: a Mixture-of-Modality-Experts transformer (arXiv 2111.02358).

Module names are the official checkpoint's keys, so `state_dict()` is the file that gets exported. Attention is shared;
each block has a feed-forward expert for pictures (imag) and texts (text), the last ones a third for both together (vl).
B pictures or texts, N tokens, D width.
"""
import json
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


@dataclass
class Config:
    image_size: int = 128
    patch: int = 16
    width: int = 256
    depth: int = 7
    heads: int = 4
    vl_start: int = 5  # blocks from here have a vl expert
    text_length: int = 31
    vocab_size: int = 0
    drop_path: float = 0.08


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads = c.heads
        self.qkv = nn.Linear(c.width, 3 * c.width, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(c.width))
        self.v_bias = nn.Parameter(torch.zeros(c.width))
        self.proj = nn.Linear(c.width, c.width)

    def forward(self, x, mask):
        B, N, D = x.shape
        bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])  # keys have none
        q, k, v = F.linear(x, self.qkv.weight, bias).reshape(B, N, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        if hasattr(F, "scaled_dot_product_attention"):
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        else:
            a = q @ k.transpose(-2, -1) * (D // self.heads) ** -0.5
            y = (a if mask is None else a.masked_fill(~mask, float("-inf"))).softmax(-1) @ v
        return self.proj(y.transpose(1, 2).reshape(B, N, D))


class Mlp(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, c, i):
        super().__init__()
        self.drop = c.drop_path
        self.has_vl = i >= c.vl_start
        self.norm1 = nn.LayerNorm(c.width, eps=1e-6)
        self.attn = Attention(c)
        for kind in ("imag", "text", "vl") if self.has_vl else ("imag", "text"):
            self.add_module(f"norm2_{kind}", nn.LayerNorm(c.width, eps=1e-6))
            self.add_module(f"mlp_{kind}", Mlp(c.width))

    def forward(self, x, kind: str, mask=None, text_length: int = 0):
        x = x + self.stochastic(self.attn(self.norm1(x), mask))
        if kind == "vl" and not self.has_vl:  # text tokens come first
            t, m = x[:, :text_length], x[:, text_length:]
            return torch.cat([t + self.expert(t, "text"), m + self.expert(m, "imag")], 1)
        return x + self.expert(x, kind)

    def expert(self, x, kind):
        return self.stochastic(getattr(self, f"mlp_{kind}")(getattr(self, f"norm2_{kind}")(x)))

    def stochastic(self, x):
        """Leaves the branch out for a share of the samples (training only)."""
        if not self.training or self.drop == 0:
            return x
        keep = torch.rand(x.shape[0], 1, 1, device=x.device) >= self.drop
        return x * (keep / (1 - self.drop)).to(x.dtype)


class Transformer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.cls_token = nn.Parameter(torch.randn(1, 1, c.width) * 0.02)
        self.pos_embed = nn.Parameter(torch.randn(1, (c.image_size // c.patch) ** 2 + 1, c.width) * 0.02)
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(3, c.width, c.patch, c.patch)
        self.blocks = nn.ModuleList([Block(c, i) for i in range(c.depth)])
        self.norm = nn.LayerNorm(c.width, eps=1e-6)


class TextEmbeddings(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.word_embeddings = nn.Embedding(c.vocab_size, c.width, padding_idx=0)
        self.position_embeddings = nn.Embedding(c.text_length, c.width)
        self.token_type_embeddings = nn.Embedding(2, c.width)
        self.LayerNorm = nn.LayerNorm(c.width, eps=1e-12)

    def forward(self, ids):
        x = self.word_embeddings(ids) + self.token_type_embeddings.weight[0]
        return self.LayerNorm(x + self.position_embeddings.weight[: ids.shape[1]])


def head(n_in, n_out, bias):
    m = nn.Module()
    m.fc = nn.Linear(n_in, n_out, bias=bias)
    return m


class VLMo(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.config = c
        self.transformer = Transformer(c)
        self.text_embeddings = TextEmbeddings(c)
        self.token_type_embeddings = nn.Embedding(2, c.width)
        self.itc_image_proj = head(c.width, c.width, bias=False)
        self.itc_text_proj = head(c.width, c.width, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(2.659))  # ln(1 / 0.07)
        self.pooler = nn.Module()
        self.pooler.dense = nn.Linear(c.width, c.width)
        self.itm_score = head(c.width, 2, bias=True)
        for m in self.modules():
            if isinstance(m, (nn.Linear, nn.Embedding)):
                nn.init.trunc_normal_(m.weight, std=0.02)
            if isinstance(m, nn.Linear) and m.bias is not None:
                nn.init.zeros_(m.bias)

    def image_tokens(self, pictures):  # [B, 3, S, S] -> [B, 1 + L, D]
        t, p = self.transformer, self.config.patch
        patches = pictures.unflatten(3, (-1, p)).unflatten(2, (-1, p)).permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
        x = F.linear(patches, t.patch_embed.proj.weight.flatten(1), t.patch_embed.proj.bias)  # the convolution, but faster
        x = torch.cat([t.cls_token.expand(x.shape[0], -1, -1).to(x.dtype), x], 1)
        return x + t.pos_embed + self.token_type_embeddings.weight[1]

    def text_tokens(self, ids):  # [B, T] -> [B, T, D]
        return self.text_embeddings(ids) + self.token_type_embeddings.weight[0]

    def run(self, x, kind, mask=None, text_length=0):  # [B, N, D], not yet normed
        if torch.is_autocast_enabled():
            x = x.to(torch.bfloat16)
        for block in self.transformer.blocks:
            x = block(x, kind, mask, text_length)
        return x

    def first(self, x):
        return self.transformer.norm(x[:, 0])

    def image_vectors(self, tokens):  # -> unit vectors [B, D]
        return F.normalize(self.itc_image_proj.fc(self.first(self.run(tokens, "imag"))).float(), dim=-1)

    def image(self, pictures):  # -> unit vectors [B, D]
        return self.image_vectors(self.image_tokens(pictures))

    def text(self, ids):  # -> unit vectors [B, D]
        mask = (ids != 0)[:, None, None, :]
        return F.normalize(self.itc_text_proj.fc(self.first(self.run(self.text_tokens(ids), "text", mask))).float(), dim=-1)

    def fuse(self, tokens, ids):  # image tokens and texts, read together -> [B, T + 1 + L, D]
        x = torch.cat([self.text_tokens(ids).to(tokens.dtype), tokens], 1)
        mask = torch.cat([ids != 0, torch.ones(tokens.shape[:2], dtype=torch.bool, device=ids.device)], 1)
        return self.run(x, "vl", mask[:, None, None, :], ids.shape[1])

    def match_tokens(self, tokens, ids):  # -> logits [B, 2], column 1 = they belong together
        pooled = torch.tanh(self.pooler.dense(self.first(self.fuse(tokens, ids))))
        return self.itm_score.fc(pooled).float()

    def match(self, pictures, ids):
        return self.match_tokens(self.image_tokens(pictures), ids)


class WordHead(nn.Module):
    """Guesses masked words from the fused tokens. For training only: it is in no checkpoint."""

    def __init__(self, c):
        super().__init__()
        self.dense = nn.Linear(c.width, c.width)
        self.norm = nn.LayerNorm(c.width, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(c.vocab_size))

    def forward(self, model, tokens, ids, at):  # positions at [B, k] of the masked texts ids -> logits [B, k, words]
        x = model.fuse(tokens, ids)
        x = model.transformer.norm(x.gather(1, at[..., None].expand(-1, -1, x.shape[-1])))
        x = self.norm(F.gelu(self.dense(x)))
        return F.linear(x, model.text_embeddings.word_embeddings.weight.to(x.dtype), self.bias.to(x.dtype)).float()


def weights(path):
    """Tensors of a checkpoint in the official layout (.pt or .safetensors; float16 or float32) in float32, and its settings."""
    if not path.endswith(".safetensors"):
        file = torch.load(path, map_location="cpu")
        sd = {k: v.float() if v.is_floating_point() else v for k, v in file["state_dict"].items()}
        return sd, file["hyper_parameters"]["config"]
    raw = memoryview(open(path, "rb").read())
    start = 8 + int.from_bytes(raw[:8], "little")
    header, kinds = json.loads(bytes(raw[8:start])), {"F16": np.float16, "F32": np.float32}
    header.pop("__metadata__", None)
    cut = lambda t: np.frombuffer(raw[start:][slice(*t["data_offsets"])], kinds[t["dtype"]]).reshape(t["shape"])
    return {k: torch.from_numpy(cut(t).astype(np.float32)) for k, t in header.items()}, {}


def load(path, heads=None):
    """A checkpoint as a float32 model; its settings read off the shapes."""
    sd, settings = weights(path)
    blocks = [k.split(".") for k in sd if k.startswith("transformer.blocks.")]
    depth = 1 + max(int(k[2]) for k in blocks)
    words, width = sd["text_embeddings.word_embeddings.weight"].shape
    patch = sd["transformer.patch_embed.proj.weight"].shape[-1]
    grid = round((sd["transformer.pos_embed"].shape[1] - 1) ** 0.5)
    heads = heads or settings["num_heads"]
    vl_start = min([int(k[2]) for k in blocks if "mlp_vl" in k] or [depth])
    texts = sd["text_embeddings.position_embeddings.weight"].shape[0]
    model = VLMo(Config(grid * patch, patch, width, depth, heads, vl_start, texts, words, 0.0))
    missing = model.load_state_dict(sd, strict=False)
    assert not missing.missing_keys, missing.missing_keys
    return model.eval()
