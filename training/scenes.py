"""Scenes: two to four drawings on a background, with a caption that says what, how many, which colour and where.

A scene is one to four groups; a group is (noun, count, colour or None). Kinds: one group ("three red apples"), a pair of
groups ("a dog left of two cats"), a row or column of three, a square of four. Scenes are made in families: a base and
siblings that differ from it in one point (sides exchanged, another axis, count, colour, thing). A sibling's picture is
the hardest wrong answer to a caption; telling them apart is what the fusion encoder is for.

    python3 training/scenes.py .train/data demo/scenes.jsonl     describes the held-out ones, for the demo to draw
"""
import json
import math
import random
import sys

import numpy as np
import torch
import torch.nn.functional as F

COLOURS = {
    "red": (0.88, 0.12, 0.12), "orange": (0.98, 0.55, 0.08), "yellow": (0.98, 0.87, 0.15), "green": (0.15, 0.65, 0.22),
    "blue": (0.13, 0.38, 0.9), "purple": (0.52, 0.2, 0.72), "pink": (0.98, 0.5, 0.72), "gray": (0.55, 0.55, 0.55),
}  # fmt: skip
NUMBERS = ["zero", "one", "two", "three", "four"]
# Things that can be counted, by CLDR name; "apple=red apple": said otherwise in captions.
NOUNS = """sun|cloud|umbrella|snowman|comet|anchor|gear|airplane|envelope|accordion|alarm clock|alien|ambulance|ant|avocado|axe|baby|
baby bottle|backpack|badger|bagel|balloon|banana|banjo|basket|baseball|basketball|bat|bathtub|battery|bear|beaver|bed|bee=honeybee|
beetle|bell|bell pepper|bicycle|bikini|bird|cake=birthday cake|bison|bomb|bone|boomerang|bouquet|bowl=bowl with spoon|brain|bread|brick|
briefcase|broom|bucket|burrito|bus|butterfly|cactus|calendar|camel|camera|candle|candy|canoe|car=automobile|carrot|castle|cat|chair|
chestnut|chicken|chipmunk|church|cigarette|clipboard|coat|cockroach|coconut|coffin|coin|compass|cookie|cow|crab|crayon|crocodile|
croissant|crown|cucumber|cupcake|dagger|deer|dodo|dog|dolphin|donkey|door|doughnut|dove|dragon|dress|drum|duck|dumpling|eagle|ear|egg|
eggplant|elephant|eye|factory|feather|ferry|fire engine|fish|flamingo|flashlight|flute|foot|fountain|fox|frog|ghost|giraffe|goat|
goose|gorilla|guitar|hamburger|hammer|hamster|handbag|harp|hedgehog|helicopter|hippopotamus|hook|horse|hospital|hot dog|hotel|house|
hut|jar|jellyfish|kangaroo|key|kimono|kite|koala|ladder|laptop|lemon|leopard|light bulb|lime|lion|lipstick|lizard|llama|lobster|
locomotive|lollipop|magnet|mammoth|mango|microphone|microscope|mirror|monkey|moose|mosque|mosquito|motorcycle|mountain|mouse|mushroom|
nose|notebook|octopus|onion|orangutan|otter|owl|ox|oyster|paintbrush|palm tree|panda|paperclip|parachute|parrot|peach|peacock|pear|
pen|pencil|penguin|phoenix|pie|pig|pineapple|pizza|poodle|potato|potted plant|pretzel|printer|pumpkin=jack-o-lantern|rabbit|raccoon|
radio|rainbow|ram|rat|razor|red envelope|ribbon|ring|robot|rock|rocket|rooster|rose|sailboat|sandwich|satellite|saxophone|scarf|
school|scorpion|screwdriver|seal|shark|shield|ship|shopping cart|shovel|shrimp|skateboard|skull|skunk|sloth|snail|snake|snowflake|
soccer ball|spider|sponge|spoon|squid|star|stethoscope|strawberry|sunflower|swan|syringe|taco|taxi|teapot|teddy bear|telephone|
telescope|television|tent|thermometer|tiger|toilet|tomato|tooth|toothbrush|top hat|tractor|train|tree=deciduous tree|trophy|truck=delivery truck|
trumpet|tulip|turkey|turtle|unicorn|vampire|violin|volcano|waffle|watch|watermelon|whale|wheel|window|wolf|worm|wrench|yarn|zebra|
zombie|heart=red heart|apple=red apple|mug=beer mug|book=closed book|flag=triangular flag"""
IRREGULAR = {"mouse": "mice", "tooth": "teeth", "foot": "feet", "goose": "geese", "wolf": "wolves", "fish": "fish", "deer": "deer",
             "sheep": "sheep", "ox": "oxen", "bison": "bison", "moose": "moose", "shrimp": "shrimp", "squid": "squid"}  # fmt: skip
RELATIONS = {"x": (("left of", "to the left of"), ("right of", "to the right of")), "y": (("above", "over"), ("below", "under"))}
SIBLINGS = 4  # scenes of a family
WORDS = [*COLOURS, *NUMBERS, *"a an and the of to from in on left right above below over under top bottom row".split(), *IRREGULAR.values()]


def nouns(concepts):
    """Word -> concept, for the nouns that are there."""
    by_tts = {c["tts"]: i for i, c in enumerate(concepts) if "char" in c}
    pairs = [n.strip().partition("=") for n in NOUNS.replace("\n", "").split("|")]
    return {word: by_tts[tts or word] for word, _, tts in pairs if (tts or word) in by_tts}


# ---- what is in a scene, and how it is said ----


def phrase(group):
    noun, count, colour = group
    first = f"{colour} {noun}" if colour else noun
    if count == 1:
        return ("an " if first[0] in "aeiou" and not first.startswith("uni") else "a ") + first
    head, _, last = first.rpartition(" ")
    if last in IRREGULAR:
        last = IRREGULAR[last]
    elif last.endswith(("s", "x", "ch", "sh")):
        last += "es"
    elif last.endswith("y") and last[-2] not in "aeiou":
        last = last[:-1] + "ies"
    else:
        last += "s"
    return f"{NUMBERS[count]} {head} {last}".replace("  ", " ")


def say(scene, rng):
    axis, groups = scene
    p = [phrase(g) for g in groups]
    if len(p) == 1:
        return p[0]
    if len(p) == 2:
        before, after = RELATIONS[axis]
        return f"{p[0]} {rng.choice(before)} {p[1]}" if rng.random() < 0.5 else f"{p[1]} {rng.choice(after)} {p[0]}"
    if len(p) == 3:
        order = "from left to right" if axis == "x" else "from top to bottom"
        text = f"{p[0]}, {p[1]} and {p[2]}"
        return f"{text} {order}" if rng.random() < 0.5 else f"{order}: {text}"
    return f"{p[0]} and {p[1]} above {p[2]} and {p[3]}"


def random_scene(words, rng):
    kind = rng.choices([1, 2, 3, 4], [0.15, 0.55, 0.2, 0.1])[0]
    colour = lambda: rng.choice(list(COLOURS)) if rng.random() < 0.45 else None
    names = rng.sample(words, kind)
    if kind == 1:
        return rng.choice("xy"), ((names[0], rng.randint(2, 4), colour()),)
    if kind == 2:
        first = rng.choice([1, 1, 1, 2, 2, 3])
        counts = first, rng.choice([1, 1, 2, 3][: 1 if first == 3 else 3 if first == 2 else 4])
        if rng.random() < 0.15:  # the same thing twice, in two colours
            names[1], (a, b) = names[0], rng.sample(list(COLOURS), 2)
            return rng.choice("xy"), ((names[0], counts[0], a), (names[1], counts[1], b))
        return rng.choice("xy"), tuple((n, k, colour()) for n, k in zip(names, counts))
    return rng.choice("xy") if kind == 3 else "xy", tuple((n, 1, colour()) for n in names)


def meaning(scene):
    """What a caption tells apart: the axis of one group says nothing."""
    return scene if len(scene[1]) > 1 else ("", scene[1])


CHANGES = ("sides", "sides", "axis", "count", "colour", "colours", "thing")
TRAINING_CHANGES = (*CHANGES, "thing", "thing")  # to know a thing is what the fusion encoder learns last


def change(scene, words, rng, changes):
    """The same scene but for one point; None where the change drawn does not apply."""
    axis, groups = scene
    groups = [list(g) for g in groups]
    i = rng.randrange(len(groups))
    how = rng.choice(changes)
    if how == "sides" and len(groups) > 1:
        j = rng.choice([j for j in range(len(groups)) if j != i])
        groups[i], groups[j] = groups[j], groups[i]
    elif how == "axis" and axis != "xy" and len(groups) > 1:
        axis = "y" if axis == "x" else "x"
    elif how == "count" and len(groups) < 3:
        room = 4 - sum(g[1] for g in groups) + groups[i][1]
        groups[i][1] = rng.choice([k for k in range(2 if len(groups) == 1 else 1, min(room, 4 if len(groups) == 1 else 3) + 1)])
    elif how == "colour":
        groups[i][2] = rng.choice(list(COLOURS))
    elif how == "colours" and len(groups) > 1:
        j = rng.choice([j for j in range(len(groups)) if j != i])
        groups[i][2], groups[j][2] = groups[j][2], groups[i][2]
    elif how == "thing":
        groups[i][0] = rng.choice(words)
    new = axis, tuple(tuple(g) for g in groups)
    different = len({(g[0], g[2]) for g in new[1]}) == len(new[1])
    return new if different and meaning(new) != meaning(scene) else None


def family(words, rng, size, changes=CHANGES):
    """`size` scenes that differ from the first in one point each, all with different meanings."""
    while True:
        scenes = [random_scene(words, rng)]
        for _ in range(30):
            new = change(scenes[0], words, rng, changes)
            if new and all(meaning(new) != meaning(s) for s in scenes):
                scenes.append(new)
            if len(scenes) == size:
                return scenes


def place(scene, rng):
    """Where each drawing goes: [(noun, colour, x, y, size)], centre and side in parts of the picture."""
    axis, groups = scene
    out = []
    jitter = lambda a: rng.uniform(-a, a)
    for i, (noun, count, colour) in enumerate(groups):
        n = len(groups)
        if n == 4:
            cells, size = [(0.27 + 0.46 * (i % 2), 0.27 + 0.46 * (i // 2))], 0.4
        elif n == 3:
            cells, size = [((i + 0.5) / 3, 0.5)], 0.32
        elif n == 1:
            size = (0, 0, 0.44, 0.4, 0.4)[count]
            cells = {2: [(0.27, 0.5), (0.73, 0.5)], 3: [(0.27, 0.7), (0.73, 0.7), (0.5, 0.27)],
                     4: [(0.27, 0.27), (0.73, 0.27), (0.27, 0.73), (0.73, 0.73)]}[count]  # fmt: skip
            if count == 3 and rng.random() < 0.5:
                cells, size = [(1 / 6, 0.5), (0.5, 0.5), (5 / 6, 0.5)], 0.32
        else:  # across the axis within its own half
            size = (0, 0.44, 0.4, 0.31)[count]
            cells = [(0.25 + 0.5 * i, (k + 0.5) / count if count > 1 else 0.5 + jitter(0.15)) for k in range(count)]
        size *= rng.uniform(0.9, 1.08)
        for x, y in cells:
            x, y = x + jitter(0.025), y + jitter(0.025 if n != 3 else 0.12)
            out.append((noun, colour, *((y, x) if axis == "y" else (x, y)), size * rng.uniform(0.94, 1.05)))
    rng.shuffle(out)
    return out


# ---- how it is drawn ----


def tint(rgba, colour, on):
    """Takes on a colour, light and shade kept. rgba: premultiplied [n, 4, h, w]; colour [n, 3]; on [n] 0 or 1."""
    alpha = rgba[:, 3:]
    light = (rgba[:, :3] / alpha.clamp(min=0.02)).clamp(0, 1).mean(1, keepdim=True)
    body = alpha * (light > 0.15)
    share = body.mean((1, 2, 3), keepdim=True)
    mean = (light * body).mean((1, 2, 3), keepdim=True) / share.clamp(min=1e-3)
    power = (math.log(0.55) / torch.log(mean.clamp(0.16, 0.97))).clamp(0.4, 4)
    light = torch.where(share > 0.02, light.clamp(min=1e-3) ** power, torch.full_like(light, 0.5))  # ink alone: all of it
    c = colour[:, :, None, None].to(rgba.dtype)
    new = torch.where(light < 0.5, c * light * 2, c + (1 - c) * (light * 2 - 1)) * alpha
    return torch.where(on.bool()[:, None, None, None], torch.cat([new, alpha], 1), rgba)


def compose(drawings, boxes, colours, tinted, px):
    """Drawings [B, 4, 4, s, s] (slot, channel; premultiplied 0..1) at boxes [B, 4, 3] -> premultiplied [B, 4, px, px].

    A slot of size 0 is empty. colours [B, 4, 3], tinted [B, 4].
    """
    canvas = torch.zeros(len(drawings), 4, px, px, device=drawings.device, dtype=drawings.dtype)
    for k in range(4):
        x, y, size = boxes[:, k].unbind(-1)
        s = 1 / size.clamp(min=0.01)
        zero = torch.zeros_like(s)
        theta = torch.stack([torch.stack([s, zero, -(2 * x - 1) * s], 1), torch.stack([zero, s, -(2 * y - 1) * s], 1)], 1)
        grid = F.affine_grid(theta, [len(s), 1, px, px], align_corners=False).to(drawings.dtype)
        drawn = F.grid_sample(tint(drawings[:, k], colours[:, k], tinted[:, k]), grid, align_corners=False)
        drawn = drawn * (size > 0).to(drawn.dtype)[:, None, None, None]
        canvas = drawn + canvas * (1 - drawn[:, 3:])
    return canvas


# ---- sets of scenes ----


def pack(scenes, concept_of, rng):
    """Scenes as arrays: concepts [n, 4] (-1: empty), colours [n, 4] (-1: its own), boxes [n, 4, 3]."""
    concept, colour = np.full((len(scenes), 4), -1, np.int64), np.full((len(scenes), 4), -1, np.int64)
    boxes = np.zeros((len(scenes), 4, 3), np.float32)
    names = list(COLOURS)
    for i, scene in enumerate(scenes):
        for k, (noun, c, x, y, size) in enumerate(place(scene, rng)):
            concept[i, k], colour[i, k], boxes[i, k] = concept_of[noun], names.index(c) if c else -1, (x, y, size)
    return concept, colour, boxes


def make_pool(job):
    """For training: (seed, families, nouns, tokenizer) -> concepts, colours, boxes, token ids; siblings side by side."""
    seed, families, concept_of, tokenizer = job
    rng, words = random.Random(seed), sorted(concept_of)
    scenes = [s for _ in range(families) for s in family(words, rng, SIBLINGS, TRAINING_CHANGES)]
    return (*pack(scenes, concept_of, rng), tokenizer.rows([say(s, rng) for s in scenes]))


def palette(device="cpu"):
    return torch.tensor(list(COLOURS.values()), device=device)


HELD_OUT_SEED = 1


def held_out(concept_of, families, size, seed):
    """Scenes for measuring: captions, arrays, and a background (two colours and an axis) for each."""
    rng, words = random.Random(seed), sorted(concept_of)
    scenes = [s for _ in range(families) for s in family(words, rng, size)]
    captions = [say(s, rng) for s in scenes]
    arrays = [torch.from_numpy(a) for a in pack(scenes, concept_of, rng)]
    pale = lambda: [1 - 0.35 * rng.random() for _ in range(3)]
    backs = [([1.0] * 3,) * 2 if rng.random() < 0.4 else (pale(), pale()) for _ in scenes]
    return captions, arrays, backs


def draw_held_out(arrays, backs, picture_of, px=256):
    """-> uint8 pictures [n, px, px, 3]. picture_of: concept -> premultiplied uint8 [4, s, s]."""
    concept, colour, boxes = arrays
    out, t = [], torch.linspace(0, 1, px).view(1, px, 1)
    size = next(iter(picture_of.values())).shape[-1]
    empty = torch.zeros(4, size, size, dtype=torch.uint8)
    for c, k, b, (top, bottom) in zip(concept, colour, boxes, backs):
        drawings = torch.stack([picture_of[int(i)] if i >= 0 else empty for i in c])[None].float() / 255
        if size >= px:  # the drawings shrink to less than half: halve them first, smoothly
            drawings = F.avg_pool2d(drawings[0], 2)[None]
        canvas = compose(drawings, b[None], palette()[k.clamp(min=0)][None], (k >= 0)[None], px)[0]
        back = torch.tensor(top).view(3, 1, 1) * (1 - t) + torch.tensor(bottom).view(3, 1, 1) * t
        out.append(((canvas[:3] + (1 - canvas[3:]) * back).clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0))
    return torch.stack(out).numpy()


def main(data_folder, out):
    """One scene a line: its caption, the colours of its background, and what lies where, in thousandths of the picture."""
    import data

    concepts = json.load(open(f"{data_folder}/concepts.json"))
    _, concept, _ = data.load_drawings(data_folder, "openmoji")
    there = set(concept.tolist())
    words = {w: c for w, c in nouns(concepts).items() if c in there}
    captions, arrays, backs = held_out(words, 250, SIBLINGS, HELD_OUT_SEED)
    names, thousandth = list(COLOURS), lambda v: round(1000 * float(v))
    with open(out, "w") as file:
        for caption, concept, colour, boxes, back in zip(captions, *arrays, backs):
            things = [
                [concepts[c]["name"], names[k] if k >= 0 else None, *map(thousandth, box)]
                for c, k, box in zip(concept.tolist(), colour.tolist(), boxes)
                if c >= 0
            ]
            scene = {"caption": caption, "back": ["#" + "".join(f"{round(255 * v):02x}" for v in b) for b in back], "things": things}
            file.write(json.dumps(scene, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:3])
