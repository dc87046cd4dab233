"""VLMo-base's arithmetic by PyTorch in float16 on the same card: pictures and texts a second, from 8-bit pixels on the host."""
import sys, time
import torch
from torch import nn
import torch.nn.functional as F

WIDTH, HEADS, LAYERS, PATCH, SIDE = 768, 12, 12, 16, 224
TOKENS = (SIDE // PATCH) ** 2 + 1


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.fc1, self.fc2 = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.gamma1, self.gamma2 = (nn.Parameter(torch.ones(WIDTH)) for _ in range(2))

    def forward(self, x, bias):
        b, n, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, n, 3, HEADS, d // HEADS).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias).transpose(1, 2).reshape(b, n, d)
        x = x + self.gamma1 * self.proj(mixed)
        return x + self.gamma2 * self.fc2(F.gelu(self.fc1(self.norm2(x))))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.words = nn.Conv2d(3, WIDTH, PATCH, PATCH), nn.Embedding(30522, WIDTH)
        self.cls = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH, bias=False)

    def forward(self, given, bias):
        if given.dtype == torch.uint8:
            x = self.embed(given.half() / 127.5 - 1).flatten(2).transpose(1, 2)
            x = torch.cat([self.cls.expand(len(x), -1, -1), x], 1)
        else:
            x = self.words(given)
        # The bias in memory of rows that are a multiple of 8 long, which the fused kernels want.
        for block in self.blocks:
            x = block(x, bias)
        return F.normalize(self.head(self.norm(x[:, 0])).float(), dim=-1)


def bias_of(n):
    whole = (n + 7) // 8 * 8
    return torch.randn(1, HEADS, n, whole, device="cuda").half()[..., :n]


torch.manual_seed(1)
model = Encoder().cuda().half().eval()
tokens = int(sys.argv[1])
with torch.inference_mode():
    for batch in map(int, sys.argv[2:]):
        rates = []
        for given, bias in (
            (torch.randint(0, 255, (batch, 3, SIDE, SIDE), dtype=torch.uint8), bias_of(TOKENS)),
            (torch.randint(0, 30522, (batch, tokens)), bias_of(tokens)),
        ):
            masks = bias.expand(batch, -1, -1, -1)
            taken = []
            for turn in range(23):
                torch.cuda.synchronize()
                start = time.perf_counter()
                model(given.cuda(), masks).cpu()
                taken.append(time.perf_counter() - start)
            rates.append(batch / sorted(taken[3:])[10])
        print(f"  PyTorch {torch.__version__} float16, batches of {batch}: pictures {rates[0]:.0f}/s, texts {rates[1]:.0f}/s")
