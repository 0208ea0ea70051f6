"""Letters, shingles, near-duplicates, phrases and topics, against slow readings of the same rules."""

from __future__ import annotations

import random
import unicodedata
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.near_duplicates import near_duplicates
from features.phrases import exclusive_letters, phrase_frequency
from features.text import (
    FREQUENCY_BUCKETS,
    Letters,
    document_frequency,
    fingerprints,
    frequency_bucket,
    letters,
    scripts,
    shingle_chunks,
    text_lengths,
)
from features.topics import category_votes

NOTHING_COMMON = np.zeros(FREQUENCY_BUCKETS, dtype=np.bool_)
ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=30)


def read(*texts: str | None) -> Letters:
    return letters(pa.array(texts, pa.string()))


def folded(text: str) -> str:
    """Letters and marks in compatible lower case, by the definition (basic plane only)."""
    result = ""
    for character in text:
        form = unicodedata.normalize("NFKC", character).lower()
        form = form if len(form) == 1 else character
        if ord(character) > 0xFFFF:
            result += character if 0x20000 <= ord(character) < 0x40000 else ""
        elif unicodedata.category(form)[0] in "LM":
            result += form
    return result


@settings(deadline=None)
@given(st.lists(ANY_TEXT, max_size=6))
def test_letters_are_what_is_left_without_width_case_and_decoration(texts: list[str]) -> None:
    text = read(*texts)
    found = [
        bytes(text.points[a:b].astype("<u4")).decode("utf-32-le") for a, b in pairwise(text.starts.tolist())
    ]
    assert found == [folded(one) for one in texts]


@settings(deadline=None)
@given(st.lists(ANY_TEXT, max_size=8))
def test_equal_letters_equal_fingerprint(texts: list[str]) -> None:
    marks = fingerprints(read(*texts)).tolist()
    plain = [folded(one) for one in texts]
    for i, one in enumerate(plain):
        for j, other in enumerate(plain):
            assert (marks[i] == marks[j]) == (one == other)


def test_chinese_counts_more_per_character_and_null_is_empty() -> None:
    assert text_lengths(read("good!", "质量很好", None, "ดีมาก")).tolist() == [4.0, 10.0, 0.0, 5.0]


def test_scripts_tell_writing_systems_apart() -> None:
    found = scripts(
        read(
            "bonne qualité", "chất lượng tốt", "质量很好", "とても良い", "품질 좋아요", "хорошо", "ดีมาก", None
        )
    )
    assert found[:2].tolist() == [0, 0]
    assert found[2:5].tolist() == [1, 1, 1]
    assert len(set(found[4:7].tolist())) == 3
    assert found[7] == 0


def shingles(text: str) -> set[str]:
    """Four letters, or two characters from an ideograph on, by the definition."""
    found = set()
    for i, character in enumerate(text):
        width = 2 if "\u2e80" <= character <= "\ud7af" else 4
        if i + width <= len(text):
            found.add(text[i : i + width])
    return found


def test_shingles_are_those_of_each_text_alone_across_chunks() -> None:
    rng = random.Random(5)
    words = ["kettle", "质量", "很好", "fast", "ดีมาก", "ok"]
    texts = ["".join(rng.choices(words, k=rng.choice([0, 1, 40_000]))) for _ in range(12)]
    seen: dict[int, set[int]] = {n: set() for n in range(len(texts))}
    for owner, value, _ in shingle_chunks(read(*texts)):
        for number in np.unique(owner):
            seen[int(number)] |= set(value[owner == number].tolist())
    assert [len(seen[n]) for n in range(len(texts))] == [len(shingles(text)) for text in texts]
    for i in range(len(texts)):
        for j in range(i):
            assert len(seen[i] & seen[j]) == len(shingles(texts[i]) & shingles(texts[j]))


def similarity(left: str, right: str) -> float:
    a, b = shingles(folded(left)), shingles(folded(right))
    return len(a & b) / max(len(a | b), 1)


def reworded(text: str, rng: random.Random) -> str:
    words = text.split()
    words[rng.randrange(len(words))] = "".join(rng.choices("abcdefghij", k=5))
    return " ".join(words)


def test_near_duplicates_are_found_and_strangers_are_not_chained() -> None:
    rng = random.Random(7)
    vocabulary = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(4, 9))) for _ in range(900)]
    originals = [" ".join(rng.sample(vocabulary, 12)) for _ in range(120)]
    texts = [
        copy for original in originals for copy in (original, *(reworded(original, rng) for _ in range(4)))
    ]
    (label,) = near_duplicates(read(*texts), NOTHING_COMMON, (0.5,))
    family = np.arange(len(texts)) // 5
    together = [int(label[i] == label[i - 1]) for i in range(len(texts)) if i % 5]
    assert np.mean(together) > 0.97
    assert all(len(set(family[label == one])) == 1 for one in np.unique(label))
    close = [similarity(texts[i], texts[i - 1]) for i in range(len(texts)) if i % 5]
    assert min(close) > 0.5


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("质量非常好，和描述的一样，物流也很快，下次还会来买的", "质量非常好！和描述的一样，物流也挺快，下次还会来买"),
        ("สินค้าดีมากส่งเร็วแพ็คของมาอย่างดีจะกลับมาซื้ออีกแน่นอน", "สินค้าดีมากส่งไวแพ็คของมาอย่างดีจะกลับมาซื้ออีกแน่นอนค่ะ"),
        ("Verarbeitung ist einwandfrei und schnell da", "Verarbeitung ist einwandfrei, war schnell da"),
    ],
)  # fmt: skip
def test_near_duplicates_need_no_spaces(left: str, right: str) -> None:
    (label,) = near_duplicates(
        read(left, "something else entirely was written", right), NOTHING_COMMON, (0.4,)
    )
    assert label[0] == label[2] != label[1]


def test_a_text_of_common_shingles_only_is_alone() -> None:
    text = read("very good product", "very good products")
    common = document_frequency(text) > 0
    assert len(set(near_duplicates(text, common, (0.1,))[0].tolist())) == 2


def test_common_shingles_are_counted_by_text() -> None:
    text = read("abcd", "abcde", "xabcd")
    count = document_frequency(text)
    value = next(shingle_chunks(read("abcd")))[1]
    assert count[frequency_bucket(value)].tolist() == [3]


def own_letters(texts: list[str], label: list[int]) -> npt.NDArray[np.float64]:
    text, copies = read(*texts), np.ones(len(texts), dtype=np.int64)
    return exclusive_letters(text, copies, np.array(label), phrase_frequency(text, copies))


def test_wording_that_only_the_group_has_counts_and_two_common_sayings_that_meet_do_not() -> None:
    late, nice = "shipping took a while but the seller answered", "colour is a bit darker than in the photos"
    template = "was hesitating for a long time but finally ordered the {} and have no regret at all"
    texts = [template.format(noun) for noun in ("lamp", "kettle", "scarf", "drill")]
    texts += [f"{nice} {late} {tail}" for tail in ("again", "indeed", "well")]
    texts += [f"{late} number {word}" for word in ("one", "two", "three", "four", "five", "six", "seven")]
    texts += [f"{nice} number {word}" for word in ("one", "two", "three", "four", "five", "six", "seven")]
    core = own_letters(texts, [0] * 4 + [1] * 3 + list(range(2, 16)))
    assert core[0] > 40
    assert core[1] <= 8
    assert core[2:].max() == 0


def test_a_text_repeated_word_for_word_is_all_its_own() -> None:
    text, copies = read("five letters are not enough here", "another text"), np.array([6, 1])
    core = exclusive_letters(text, copies, np.array([0, 1]), phrase_frequency(text, copies))
    assert core.tolist() == [27 - 7, 0]


def test_topics_are_learnt_from_titles_and_reviews() -> None:
    rng = random.Random(2)
    nouns = {
        0: ["kettle", "saucepan"],
        1: ["lipstick", "mascara"],
        2: ["hammer", "screwdriver"],
        3: ["leash", "kennel"],
    }
    titles, title_category, texts, category = [], [], [], []
    for number, words in nouns.items():
        for _ in range(20):
            titles.append(f"premium {rng.choice(words)} new")
            title_category.append(number)
            texts.append(f"really love it, this {rng.choice(words)} came quickly")
            category.append(number)
    texts += ["this lipstick is what I wanted", "thank you very much indeed", "no category at all, lipstick"]
    category += [0, 0, -1]
    copies = np.ones(len(texts), dtype=np.int64)
    votes = category_votes(read(*texts), np.array(category), copies, read(*titles), np.array(title_category))
    assert (votes.own[:80] > votes.foreign[:80] + 2).all()
    assert votes.foreign[80] > votes.own[80] + 2
    assert votes.own[81] == votes.foreign[81] == votes.own[82] == votes.foreign[82] == 0
