"""Write the lexicon of the `lite` encoder: which ImageNet classes a word means.

Sources: WordNet 3.0 (Debian's package `wordnet-base`; its noun files are read from --wordnet), the 1,000
wnids of ImageNet-1k in the order of the classifier, which is their sorted order (a text file with one in each
line, such as `timm/data/_info/imagenet_synsets.txt` in the wheel of timm), and the hand-written
`lexicon_bridges.toml` beside this script.

    python bench/build_lexicon.py --wordnet /usr/share/wordnet --synsets imagenet_synsets.txt
"""

import argparse
import json
import tomllib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from pipeline.features.encoders.lexicon import fold, phrase_key

HERE = Path(__file__).parent
TARGET = HERE.parent / "pipeline" / "features" / "encoders" / "lexicon.json"

MAX_CLASSES = 410
"""A word for more classes than this says nothing about a picture; "animal", with 398, still does."""

MAX_SENSE = 3
"""Broader words count in their most frequent meanings only: nobody types "queen" and means a cat."""

TOO_ABSTRACT = frozenset(
    [
        "entity",
        "object",
        "thing",
        "whole",
        "unit",
        "matter",
        "substance",
        "artifact",
        "organism",
        "being",
        "instrument",
        "instrumentality",
        "instrumentation",
        "implement",
        "device",
        "equipment",
        "article",
        "commodity",
        "causal_agent",
        "cause",
        "cause",
        "agent",
        "agency",
        "part",
        "portion",
        "piece",
        "material",
        "way",
        "content",
        "creation",
        "product",
        "structure",
        "construction",
        "conveyance",
        "transport",
        "container",
        "covering",
        "cover",
        "protection",
        "protective_covering",
        "consumer_goods",
        "durables",
        "durable_goods",
        "good",
        "line",
        "run",
        "shot",
        "set",
        "group",
        "body",
        "male",
        "female",
        "young",
        "adult",
        "junior",
        "senior",
        "system",
        "means",
        "support",
        "bar",
        "guard",
        "restraint",
        "signal",
        "indication",
        "mechanism",
        "stock",
        "game",
        "kill",
        "work",
        "feature",
        "point",
        "end",
        "head",
        "member",
        "figure",
        "kind",
        "sort",
        "form",
        "shape",
        "state",
        "attribute",
        "natural_object",
        "geological_formation",
        "formation",
    ]
)
"""Words above the things of the lexicon that would only add noise to a query."""

NOTICE = (
    "Derived from WordNet 3.0, Copyright 2006 by Princeton University. All rights reserved. "
    "See WORDNET_LICENSE.txt beside this file."
)


@dataclass(frozen=True)
class WordNet:
    """The nouns of WordNet: words and parents of each synset, synsets of each word, most frequent first."""

    words: dict[str, tuple[str, ...]]
    parents: dict[str, tuple[str, ...]]
    senses: dict[str, tuple[str, ...]]
    irregular: dict[str, str]


def read_wordnet(folder: Path) -> WordNet:
    words, parents = {}, {}
    for line in _lines(folder / "data.noun"):
        fields = line.split(" | ")[0].split()
        count = int(fields[3], 16)
        words[fields[0]] = tuple(fields[4 : 4 + 2 * count : 2])
        pointers = fields[5 + 2 * count :]
        parents[fields[0]] = tuple(
            pointers[at + 1] for at in range(0, len(pointers) - 3, 4) if pointers[at] in {"@", "@i"}
        )
    senses = {}
    for line in _lines(folder / "index.noun"):
        fields = line.split()
        senses[fields[0]] = tuple(fields[-int(fields[2]) :])
    irregular = dict(line.split()[:2] for line in (folder / "noun.exc").read_text().splitlines())
    return WordNet(words, parents, senses, irregular)


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="latin-1").splitlines() if not line.startswith("  ")]


def classes_below(wordnet: WordNet, class_synsets: list[str]) -> dict[str, set[int]]:
    """Return for each synset the classes that are it or a kind of it."""
    below: dict[str, set[int]] = defaultdict(set)
    for index, synset in enumerate(class_synsets):
        pending = [synset]
        while pending:
            current = pending.pop()
            if index not in below[current]:
                below[current].add(index)
                pending.extend(wordnet.parents[current])
    return below


def words_of_wordnet(wordnet: WordNet, class_synsets: list[str]) -> dict[str, set[int]]:
    """Return the classes each word means: its own class in any sense, and its first sense with classes.

    A name ("Cardigan", the corgi) counts only where the word has no ordinary meaning.
    """
    below = classes_below(wordnet, class_synsets)
    own = {synset: index for index, synset in enumerate(class_synsets)}
    found: dict[str, set[int]] = {}
    for synset in below:
        for word in wordnet.words[synset]:
            lower = word.lower()
            senses = wordnet.senses[lower]
            broad = next((below[sense] for sense in senses[:MAX_SENSE] if sense in below), set())
            exact = {own[sense] for sense in senses if sense in own}
            keep_broad = lower not in TOO_ABSTRACT and len(broad) <= MAX_CLASSES
            ordinary = broad if keep_broad else set()
            meant = ordinary if ordinary and word != lower else ordinary | exact
            if meant:
                found.setdefault(phrase_key(lower.replace("_", " ")), set()).update(meant)
    return found


def class_names(wordnet: WordNet, class_synsets: list[str]) -> dict[str, set[int]]:
    """Return the classes by their own words only, which is what the bridges are written in."""
    names: dict[str, set[int]] = defaultdict(set)
    for index, synset in enumerate(class_synsets):
        for word in wordnet.words[synset]:
            names[phrase_key(word.replace("_", " "))].add(index)
    return names


def add_bridges(words: dict[str, set[int]], names: dict[str, set[int]], path: Path) -> None:
    for section in tomllib.loads(path.read_text(encoding="utf-8")).values():
        for word, targets in section.items():
            reached: set[int] = set()
            for target in targets:
                key = phrase_key(target)
                if key not in names:
                    raise SystemExit(f"{path.name}: {word!r} names the class {target!r}, which does not exist")
                reached |= names[key]
            words[phrase_key(word)] = reached


def irregular_plurals(wordnet: WordNet, words: dict[str, set[int]]) -> dict[str, str]:
    pairs = ((phrase_key(plural.replace("_", " ")), fold(word)) for plural, word in wordnet.irregular.items())
    return {plural: word for plural, word in sorted(pairs) if plural not in words and word in words}


def ranges(numbers: set[int]) -> str:
    """Return {1, 2, 3, 7} as "1-3,7"."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(f"{first}-{last}" if last > first else str(first) for first, last in parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"))
    parser.add_argument("--synsets", type=Path, required=True)
    arguments = parser.parse_args()
    wordnet = read_wordnet(arguments.wordnet)
    class_synsets = [line.strip().removeprefix("n") for line in arguments.synsets.read_text().splitlines()]
    assert class_synsets == sorted(class_synsets)
    words = words_of_wordnet(wordnet, class_synsets)
    add_bridges(words, class_names(wordnet, class_synsets), HERE / "lexicon_bridges.toml")
    content = {
        "notice": NOTICE,
        "classes": [wordnet.words[synset][0].replace("_", " ") for synset in class_synsets],
        "words": {word: ranges(words[word]) for word in sorted(words)},
        "plurals": irregular_plurals(wordnet, words),
    }
    TARGET.write_text(json.dumps(content, ensure_ascii=True, indent=0) + "\n", encoding="utf-8")
    print(f"{len(words)} words, {len(content['plurals'])} irregular plurals, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
