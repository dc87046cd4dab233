"""WordNet 3.1 as the text grammar needs it: synsets, their words, kinds, parts and definitions, and which sense a drawing shows.

A synset is named by part of speech and offset ("n02086723"). Senses are chosen by what the emoji's subgroup can show (a bat
among the mammals is an animal, not a stick) and by the words that its keywords share with a sense's definition and kinds.
"""
import collections
import re

# Lexicographer files (the WordNet manual's lexnames) that the drawings of a subgroup can show, by the subgroup's beginning.
ACT, ANIMAL, ARTIFACT, BODY, EVENT, FOOD, GROUP, OBJECT, PERSON, PHENOMENON, PLANT, TIME = 4, 5, 6, 8, 11, 13, 14, 17, 18, 19, 20, 28
SHOWN = {
    "animal": (ANIMAL,), "plant": (PLANT,), "food-fruit": (FOOD, PLANT), "food-vegetable": (FOOD, PLANT), "food": (FOOD,), "drink": (FOOD, ARTIFACT),
    "dishware": (ARTIFACT,), "place-geographic": (OBJECT, ARTIFACT), "place": (ARTIFACT, OBJECT, GROUP), "transport": (ARTIFACT,), "time": (ARTIFACT,),
    "sky": (OBJECT, PHENOMENON, EVENT, ARTIFACT), "event": (ARTIFACT, EVENT, PLANT), "award": (ARTIFACT, 10), "sport": (ACT, ARTIFACT), "game": (ARTIFACT, ACT),
    "arts": (ARTIFACT,), "clothing": (ARTIFACT,), "sound": (ARTIFACT,), "music": (ARTIFACT, 10), "phone": (ARTIFACT,), "computer": (ARTIFACT,),
    "light": (ARTIFACT,), "book": (ARTIFACT, 10), "money": (21, ARTIFACT), "mail": (ARTIFACT, 10), "writing": (ARTIFACT,), "office": (ARTIFACT,),
    "lock": (ARTIFACT,), "tool": (ARTIFACT,), "science": (ARTIFACT,), "medical": (ARTIFACT, FOOD), "household": (ARTIFACT, 27), "other-object": (ARTIFACT,),
    "body": (BODY,), "person-role": (PERSON,), "person-fantasy": (PERSON, 9), "person-sport": (PERSON, ACT), "person": (PERSON,), "hotel": (ARTIFACT,),
}  # fmt: skip
# Names whose last word is another thing, and what to look up instead; "" for nothing.
LOOK_UP = {
    "magnifying glass tilted left": "magnifying glass", "magnifying glass tilted right": "magnifying glass", "curling stone": "", "roll of paper": "toilet paper",
    "spider web": "", "bookmark tabs": "bookmark", "bubbles": "", "nazar amulet": "amulet", "pool 8 ball": "billiards", "litter in bin sign": "",
    "left luggage": "", "spiral shell": "seashell", "fuel pump": "gasoline pump", "poultry leg": "drumstick", "glass of milk": "milk", "pot of food": "stew",
    "cut of meat": "steak", "ear of corn": "corn", "sheaf of rice": "rice", "drop of blood": "blood", "Statue of Liberty": "statue", "hot beverage": "coffee",
    "spade suit": "", "club suit": "", "heart suit": "", "diamond suit": "", "cup with straw": "soft drink", "beverage box": "fruit juice", "beer mug": "beer",
    "clinking beer mugs": "beer", "clinking glasses": "champagne", "bottle with popping cork": "champagne", "wine glass": "wine", "cocktail glass": "cocktail",
    "teacup without handle": "tea", "tumbler glass": "whiskey", "high-speed train": "bullet train", "man’s shoe": "shoe", "woman’s boot": "boot",
    "woman’s sandal": "sandal", "woman’s hat": "hat", "billed cap": "cap", "thong sandal": "sandal", "office building": "office building", "hot pepper": "chili",
    "wood": "log", "radio button": "", "T-Rex": "tyrannosaur", "soccer ball": "soccer", "game die": "die", "joker": "joker", "bowling": "bowling",
    "red envelope": "envelope", "seat": "seat", "wing": "wing", "desktop computer": "desktop computer", "light bulb": "light bulb", "lady beetle": "ladybug",
}  # fmt: skip
STOP = set("a an the of to and or with from in on at by for as is are be been being that which who whose it its this these those used any "
           "not no than into over under up out off such having has have had can may one two some other others usually especially often "
           "very more most made make makes making something someone somebody person people when where while so also very etc each".split())  # fmt: skip


class WordNet:
    def __init__(self, folder):
        self.words, self.definition, self.lex = {}, {}, {}
        self.parents, self.parts = collections.defaultdict(list), collections.defaultdict(list)
        self.children = collections.defaultdict(list)
        self.senses = collections.defaultdict(list)  # (word, part of speech) -> synsets, the most frequent first
        for pos, name in (("n", "noun"), ("v", "verb"), ("a", "adj")):
            self.read(f"{folder}/dict", pos, name)

    def read(self, folder, pos, name):
        for line in open(f"{folder}/data.{name}", encoding="latin-1"):
            if line.startswith(" "):
                continue
            data, _, gloss = line.partition(" | ")
            f = data.split()
            key, count = pos + f[0], int(f[3], 16)
            self.lex[key] = int(f[1])
            self.words[key] = [re.sub(r"\(.*\)", "", w).replace("_", " ") for w in f[4 : 4 + 2 * count : 2]]
            self.definition[key] = re.split(r'; "|: "', gloss.strip())[0].strip(' ;:"')
            at = 4 + 2 * count
            for i in range(int(f[at])):
                sign, offset, kind, _ = f[at + 1 + 4 * i : at + 5 + 4 * i]
                if kind == pos == "n":
                    if sign in ("@", "@i"):
                        self.parents[key].append(kind + offset)
                        self.children[kind + offset].append(key)
                    elif sign in ("%p", "%s"):
                        self.parts[key].append(kind + offset)
        for line in open(f"{folder}/index.{name}", encoding="latin-1"):
            f = line.split()
            if not line.startswith(" "):
                self.senses[f[0].replace("_", " "), pos] = [pos + o for o in f[-int(f[2]) :]]

    def kinds(self, synset):
        """Every synset above, the nearest first."""
        out, now = [], [synset]
        while now:
            now = list(dict.fromkeys(p for s in now for p in self.parents[s] if p not in out))
            out += now
        return out

    def below(self, synset, depth=2):
        out, now = [], [synset]
        for _ in range(depth):
            now = [c for s in now for c in self.children[s]]
            out += now
        return out

    def content(self, text):
        return {w for w in re.findall(r"[a-z]+", text.lower()) if w not in STOP}

    def shown(self, name, subgroup, keywords):
        """The noun synset that a drawing shows, or None."""
        allowed = next((v for k, v in SHOWN.items() if subgroup.startswith(k)), None)
        if allowed is None:
            return None
        for word in candidates(LOOK_UP.get(name, name).lower()):
            best = None
            for rank, s in enumerate(self.senses.get((word, "n"), [])):
                if self.lex[s] not in allowed:
                    continue
                around = self.content(" ".join([self.definition[s], *self.words[s], *(w for k in self.kinds(s)[:6] for w in self.words[k])]))
                score = len(around & keywords) - 0.7 * rank - 0.5 * allowed.index(self.lex[s])
                if best is None or score > best[0]:
                    best = score, s
            if best:
                return best[1]
        return None


def candidates(name):
    """A name, then what of it may be in the dictionary: "red apple" -> apple, "man cook" -> cook, "cup with straw" -> cup."""
    yield name
    name = re.sub(r"^(man|woman|person|oncoming) | face$", "", re.sub(r" (with|in|and|behind|showing|on|without) .*", "", name))
    yield name
    words = name.split()
    if "of" not in words:
        for i in range(1, len(words)):
            yield " ".join(words[i:])
    yield re.sub(r"s$", "", words[-1]) if words else ""
