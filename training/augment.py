"""Augmentation of whole batches on the GPU: from premultiplied RGBA [B, 4, S, S] to pictures [B, 3, S, S] in -1..1.

What a style changes and what it does not: shapes are moved, bent and mirrored; edges become ink of another thickness
over paler or no fill (outline fonts such as the held-out one); colours and backgrounds change. In scenes, where captions
name sides and colours, mirroring and recolouring are left out (`gentle`).
"""
import math

import torch
import torch.nn.functional as F


def uniform(n, low, high, x):
    return torch.empty(n, 1, 1, 1, device=x.device, dtype=x.dtype).uniform_(low, high)


def some(n, share, x):
    """1 for about this share of the samples, else 0: [n, 1, 1, 1]."""
    return (torch.rand(n, 1, 1, 1, device=x.device) < share).to(x.dtype)


def thicker(x):
    return F.max_pool2d(x, 3, 1, 1)


def thinner(x):
    return -F.max_pool2d(-x, 3, 1, 1)


def bend(x, scale, turn, shift, wave, mirror):
    """Affine and elastic warp. scale: (low, high), above 1 shrinks; mirror: [B] 0 or 1."""
    B, S, dev = x.shape[0], x.shape[-1], x.device
    u = lambda low, high: torch.empty(B, device=dev).uniform_(low, high)
    s = torch.exp(u(math.log(scale[0]), math.log(scale[1])))
    angle, aspect, shear = torch.randn(B, device=dev) * turn, u(0.88, 1.13), torch.randn(B, device=dev) * turn * 0.7
    flip = 1 - 2 * mirror
    theta = torch.stack(
        [
            torch.stack([s * aspect * angle.cos() * flip, -s * (angle.sin() + shear), u(-shift, shift)], 1),
            torch.stack([s * angle.sin() * flip, s / aspect * angle.cos(), u(-shift, shift)], 1),
        ],
        1,
    )
    grid = F.affine_grid(theta, [B, 1, S, S], align_corners=False)
    field = torch.randn(B, 2, 5, 5, device=dev) * (u(0, wave)[:, None, None, None])
    rows = F.interpolate(torch.eye(5, device=dev)[None, None], (S, 5), mode="bicubic", align_corners=True)[0, 0]
    field = (rows @ field @ rows.t()).permute(0, 2, 3, 1)  # the same interpolation along both axes
    return F.grid_sample(x, (grid + field).to(x.dtype), align_corners=False)


def background(B, x):
    """White for most, else one colour or a gradient between two: [B, 3, S, S]."""
    S = x.shape[-1]
    one, two = (torch.rand(B, 3, 1, 1, device=x.device, dtype=x.dtype) ** 0.5 for _ in range(2))
    two = torch.where(some(B, 0.5, x) > 0, one, two)
    axis = torch.linspace(0, 1, S, device=x.device, dtype=x.dtype)
    t = torch.where(some(B, 0.5, x) > 0, axis.view(1, 1, S, 1), axis.view(1, 1, 1, S))
    return torch.where(some(B, 0.6, x) > 0, torch.ones_like(one), one * (1 - t) + two * t)


def inked(y, gentle):
    """Edges drawn over in dark ink, the fill as it is, paler, in few levels, or white."""
    B = y.shape[0]
    edge = (thicker(y) - thinner(y)).amax(1, keepdim=True)
    edge = ((edge - uniform(B, 0.08, 0.3, y)) * 6).clamp(0, 1)
    thick = some(B, 0 if gentle else 0.5, y)
    edge = edge * (1 - thick) + thicker(edge) * thick
    levels = uniform(B, 3, 6, y).round()
    few = some(B, 0.3, y)
    fill = y * (1 - few) + (y * levels).round() / levels * few
    white = some(B, 0.5, y) * uniform(B, 0, 0.5, y)
    if not gentle:
        white = torch.maximum(white, some(B, 0.2, y))
    fill = fill + (1 - fill) * white
    return fill * (1 - edge) + uniform(B, 0, 0.2, y) * edge


def recoloured(y, free):
    """Hue, saturation, contrast, brightness. free [B, 1, 1, 1]: 0 keeps the hue."""
    B, dev = y.shape[0], y.device
    strength = (free * 0.22 + 0.03) * some(B, 0.7, y)
    mix = torch.eye(3, device=dev, dtype=y.dtype) + torch.randn(B, 3, 3, device=dev, dtype=y.dtype) * strength[:, 0]
    y = torch.einsum("bij,bjhw->bihw", mix / mix.sum(-1, keepdim=True).clamp(min=0.3), y)
    grey = uniform(B, 0, 0.35, y) + free * some(B, 0.1, y)
    y = y + (y.mean(1, keepdim=True) - y) * grey.clamp(max=1)
    return (y - 0.5) * uniform(B, 0.75, 1.2, y) + 0.5 + uniform(B, -0.08, 0.08, y)


def erased(y):
    """A quarter of the pictures lose one rectangle."""
    B, S, dev = y.shape[0], y.shape[-1], y.device
    axis = torch.linspace(0, 1, S, device=dev)
    near = lambda: (axis[None] - torch.rand(B, 1, device=dev)).abs() < torch.empty(B, 1, device=dev).uniform_(0.05, 0.2)
    hole = (near()[:, None, :, None] & near()[:, None, None, :]).to(y.dtype) * some(B, 0.25, y)
    return y * (1 - hole) + torch.rand(B, 3, 1, 1, device=dev, dtype=y.dtype) * hole


def augment(rgba, gentle, mirror=None, free=None, mono=None):
    """rgba: premultiplied 0..1. mirror, free, mono: [B] 0 or 1: may be mirrored, recoloured; black ink alone."""
    B = rgba.shape[0]
    no = torch.zeros(B, device=rgba.device)
    if gentle:
        x = bend(rgba, (0.92, 1.12), 0.05, 0.04, 0.02, no)
        free = mono = no
    else:
        x = bend(rgba, (0.85, 1.6), 0.13, 0.12, 0.05, mirror * (torch.rand(B, device=rgba.device) < 0.35))
    free, mono = free.to(x.dtype)[:, None, None, None], mono.to(x.dtype)[:, None, None, None]
    thick, thin = some(B, 0.35, x) * uniform(B, 0, 1, x), some(B, 0.25, x) * uniform(B, 0, 0.7, x)
    alpha = x[:, 3:]
    alpha = alpha + mono * (thick * (thicker(alpha) - alpha) + thin * (1 - thick) * (thinner(alpha) - alpha))
    y = x[:, :3] + (1 - alpha)  # on white
    ink = some(B, 0.3 if gentle else 0.5, x) * (1 - mono)
    y = torch.where(ink > 0, inked(y, gentle), y)
    y = recoloured(y, free)
    back = background(B, x)
    y = y * (1 - (1 - back) * (1 - thicker(alpha)))  # paint the paper around the drawing
    soft = some(B, 0.25, x) * uniform(B, 0, 1, x)
    y = y + (F.avg_pool2d(y, 3, 1, 1, count_include_pad=False) - y) * soft
    y = y + torch.randn_like(y) * (some(B, 0.2, x) * 0.03)
    return erased(y.clamp(0, 1)) * 2 - 1
