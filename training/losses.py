"""The losses of a step: contrast of pictures and texts (ITC), matching (ITM) with hard negatives, masked words (MLM), descriptions."""
import torch
import torch.nn.functional as F

import scenes

MASKED_WORDS = 3  # of each text


def contrast(logits, same, neutral):
    """Symmetric cross-entropy with every right partner counted equally and neutral pairs left out."""
    target = same.float() / same.sum(1, keepdim=True)
    logits = logits.masked_fill(neutral, -1e4)
    return -(target * logits.log_softmax(1)).sum(1).mean() / 2 - (target * logits.log_softmax(0).t()).sum(1).mean() / 2


def hard(logits, forbidden):
    """One wrong partner a row, drawn by similarity."""
    return torch.multinomial(logits.masked_fill(forbidden, float("-inf")).softmax(1), 1)[:, 0]


def single_groups(logits, forbidden, o):
    """(pictures [g, 4], texts [g]): for some drawings the right one first, then three wrong ones drawn by similarity."""
    text = torch.randperm(len(logits), device=logits.device)[: o.matches]
    s, f = logits.t()[text], forbidden[text]
    return torch.stack([text, *(hard(s / t, f) for t in (1, 2, 5))], 1), text


def scene_groups(logits, n, o):
    """(pictures [g, 5], texts [g]): for every scene its family of four, then another picture drawn by similarity.

    Similarity is known for the n single drawings and the first scenes of each family alone: it stands for the family.
    """
    size, dev = scenes.SIBLINGS, logits.device
    text = torch.arange(o.families * size, device=dev)
    family = text[:, None] // size
    holder = (torch.arange(len(logits), device=dev) - n).div(o.contrasted, rounding_mode="floor")  # below 0: a single drawing
    alike = hard(logits.t()[n + family[:, 0] * o.contrasted], holder == family)
    other = torch.where(alike < n, alike, n + holder[alike] * size + torch.randint(size, alike.shape, device=dev))
    siblings = n + family * size + torch.arange(size, device=dev)
    return torch.cat([siblings, other[:, None]], 1), n + text


def match_loss(logits, right, share=None):
    """logits [g, k, 2], right [g]: right or wrong for each picture, and the right one above the others. share [g]: how much a group counts."""
    label = F.one_hot(right, logits.shape[1])
    weight = torch.tensor([1.0, logits.shape[1] - 1.0], device=logits.device)
    odds = logits[..., 1] - logits[..., 0]
    if share is None:
        return F.cross_entropy(logits.flatten(0, 1), label.flatten(), weight) + F.cross_entropy(odds, right)
    each = F.cross_entropy(logits.flatten(0, 1), label.flatten(), weight, reduction="none").unflatten(0, label.shape).sum(1)
    each = each / (2 * (logits.shape[1] - 1)) + F.cross_entropy(odds, right, reduction="none")
    return (each * share).sum() / share.sum().clamp(min=1)


def family_loss(logits, n):
    """logits [g, n + 1, 2] of `scene_groups`: the right picture for a text, the right text of the family for a picture."""
    own = torch.arange(len(logits), device=logits.device) % n
    odds = (logits[:, :n, 1] - logits[:, :n, 0]).unflatten(0, (-1, n))
    return match_loss(logits, own) + F.cross_entropy(odds.transpose(1, 2).flatten(0, 1), own)


def masked_loss(model, head, tokens, ids, batches):
    """Guess three words of each text from its picture and the other words; one may be drawn twice."""
    at = torch.multinomial(batches.maskable[ids] + 1e-9 * (ids != 0), MASKED_WORDS, replacement=True)
    logits = head(model, tokens, ids.scatter(1, at, batches.mask), at)
    return F.cross_entropy(logits.flatten(0, 1), ids.gather(1, at).flatten())


def description_loss(logits, right, wrong):
    """Every right drawing alike above the wrong ones; logits, right, wrong: [texts, drawings]. Texts with no right one here do not count."""
    target = right.float() / right.sum(1, keepdim=True).clamp(min=1)
    scores = -(target * logits.masked_fill(~(right | wrong), -1e4).log_softmax(1)).sum(1)
    some = right.any(1).float()
    return (scores * some).sum() / some.sum().clamp(min=1)


def described_groups(logits, right, wrong, o):
    """(pictures [g, 4], texts [g], weight [g]): a right picture first, then three wrong ones drawn by similarity; weight 0: none is right."""
    n = o.described_matches
    likely = (right[:n].float() + 1e-9).div_(right.shape[1])
    own = torch.multinomial(likely, 1)[:, 0]
    others = [hard(logits[:n] / t, ~wrong[:n]) for t in (1, 2, 5)]
    return torch.stack([own, *others], 1), torch.arange(n, device=logits.device), right[:n].any(1).float()


def step_loss(model, head, batches, fused, amp):
    """-> the losses of ITC, ITM, MLM and descriptions."""
    o, family = batches.o, scenes.SIBLINGS
    with torch.no_grad():
        x1, ids1, concept = batches.singles()
        x2, ids2 = batches.scenes()
        x, ids, n = torch.cat([x1, x2]), torch.cat([ids1, ids2]), len(x1)
        every = torch.arange(len(x), device=x.device)
        seen = every[(every < n) | ((every - n) % family < o.contrasted)]
        label = torch.cat([concept, 10**6 + every[n:]])[seen]
        same = label[:, None] == label[None]
        neutral = torch.zeros_like(same)
        neutral[:n, :n] = batches.related[concept][:, concept] & ~same[:n, :n]
        ids3, right, wrong = batches.descriptions(concept) if o.descriptions else (ids[:0], None, None)
    with amp():
        tokens = model.image_tokens(x)
        pictures = model.image_vectors(tokens.index_select(0, seen))
        texts, asked = model.text(torch.cat([ids[seen], ids3])).split([len(seen), len(ids3)])
    logits = pictures @ texts.t() * model.logit_scale.exp().clamp(max=100)  # 16 bits would round them by a quarter
    itc = contrast(logits, same, neutral)
    told = torch.zeros(())
    if o.descriptions:
        similarity = asked @ pictures[:n].t() * model.logit_scale.exp().clamp(max=100)
        told = description_loss(similarity, right, wrong)
    if not fused:
        return itc, torch.zeros(()), torch.zeros(()), told
    likeness = logits.detach()
    p1, t1 = single_groups(likeness[:n, :n], (same | neutral)[:n, :n], o)
    p2, t2 = scene_groups(likeness, n, o)
    picture = torch.cat([p1.flatten(), p2.flatten()])
    text = torch.cat([t1.repeat_interleave(p1.shape[1]), t2.repeat_interleave(p2.shape[1])])
    texts_read, sizes = ids[text], [p1.numel(), p2.numel()]
    if o.described_matches:
        p3, t3, weight = described_groups(similarity.detach(), right, wrong, o)
        picture, texts_read = torch.cat([picture, p3.flatten()]), torch.cat([texts_read, ids3[t3.repeat_interleave(p3.shape[1])]])
        sizes.append(p3.numel())
    some = torch.randperm(len(x), device=x.device)[: o.masked]
    with amp():
        match = model.match_tokens(tokens.index_select(0, picture), texts_read)
        guess = lambda: masked_loss(model, head, tokens.index_select(0, some), ids[some], batches)
        mlm = guess() if len(some) else torch.zeros(())
    singles, scened, *described = match.split(sizes)
    itm = match_loss(singles.unflatten(0, p1.shape), t1 * 0) + family_loss(scened.unflatten(0, p2.shape), family)
    if described:
        itm = itm + match_loss(described[0].unflatten(0, p3.shape), t3 * 0, weight)
    return itc, itm, mlm, told
