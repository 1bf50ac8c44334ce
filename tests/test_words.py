"""From texts to the words they are found by: what is told apart, what is not, in which scripts."""

import unicodedata

import pytest

from pipeline.words import LONGEST_WORD, MOST_WORDS, asked_words, joined, words_of, words_of_name


def asked(text: str) -> list[str]:
    return [one.word for one in asked_words(text)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Two DOGS, running!", ["two", "dog", "running"]),
        ("Café Müller", ["cafe", "muller"]),
        ("Straße", ["strasse"]),
        ("Łódź, Ærø", ["lodz", "aero"]),
        ("Ёлка и Й", ["елка", "и"]),
        ("Ελλάδα", ["ελλαδα"]),
        ("İstanbul", ["istanbul"]),
        ("\uff26\uff35\uff2c\uff2c\uff11", ["full1"]),
        ("שָׁלוֹם مُحَمَّد", ["שלום", "محمد"]),
        ("हिन्दी", ["हिन्दी"]),
        ("the dog's ball", ["the", "dog", "ball"]),
        ("boxes, glasses, berries, buses, women", ["box", "glass", "berry", "bus", "woman"]),
        ("gas bus glass lens", ["gas", "bus", "glass", "len"]),
        ("3.5mm", ["3", "5mm"]),
        ("I❤NY 👩\u200d👧", ["i", "ny"]),
        ("", []),
        ("!?… \0", []),
    ],
)
def test_a_text_is_found_by_its_words(text, words):
    assert words_of(text) == words


def test_a_text_and_the_same_text_composed_otherwise_have_the_same_words():
    for text in ("Café Zürich", "パン ガラス", "한국어", "Việt Nam"):
        forms = [unicodedata.normalize(form, text) for form in ("NFC", "NFD", "NFKC", "NFKD")]
        assert len({tuple(words_of(form)) for form in forms}) == 1


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("北京烤鸭很好吃", "烤鸭"),
        ("我在東京タワーの前で", "東京タワー"),
        ("강아지가 공원에서", "공원"),
        ("ทะเลสวยมาก", "สวย"),
        ("ភាសាខ្មែរ", "ខ្មែរ"),
        ("夏の海", "海"),
        ("ﾊﾟﾝ屋", "パン"),
        ("𠮷野家", "𠮷野"),
    ],
)
def test_a_word_is_found_inside_a_sentence_of_a_script_without_spaces(text, part):
    assert set(asked(part)) <= set(words_of(text))
    assert not set(asked(part + "犬")) <= set(words_of(text))


def test_a_question_in_chinese_is_asked_by_pairs_and_told_as_it_was_typed():
    assert asked("北京烤鸭 duck") == ["北京", "京烤", "烤鸭", "duck"]
    assert joined(asked_words("北京烤鸭 duck")) == ["北京烤鸭", "duck"]
    first, _, last, _ = asked_words("北京烤鸭 duck")
    assert joined([first, last]) == ["北京", "烤鸭"]


def test_words_are_told_in_the_letters_that_were_typed():
    text = "КРАСНЫЙ Élan, Anna's Øre-Straße ½ 北京烤鸭"
    assert asked(text)[:3] == ["красныи", "elan", "anna"]
    assert joined(asked_words(text)) == ["красный", "élan", "anna", "øre", "straße", "1", "2", "北京烤鸭"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("IMG_2024-05-beach.jpg", ["img", "2024", "05", "beach"]),
        ("DSC01234.JPG", ["dsc", "01234", "dsc01234"]),
        ("myRedCar.png", ["my", "red", "car", "myredcar"]),
        ("holiday.photo.jpeg", ["holiday", "photo"]),
        ("東京 2019.jpg", ["東", "京", "東京", "2019"]),
        ("no extension at all", ["no", "extension", "at", "all"]),
        ("unnamed", ["unnamed"]),
        (".jpg", []),
    ],
)
def test_a_file_name_is_parted_where_people_read_a_new_word(name, words):
    assert words_of_name(name) == words


def test_words_that_say_nothing_count_only_where_there_are_no_others():
    assert asked("a dog on the beach") == ["dog", "beach"]
    assert asked("who is that") == ["who"]
    assert asked("to be or to be") == ["to", "be", "or"]


def test_the_last_word_may_go_on_until_a_space_or_a_sign_ends_it():
    def begins(text: str) -> list[str]:
        return [one.word for one in asked_words(text) if one.is_beginning]

    assert [one.beginning for one in asked_words("red gras") if one.is_beginning] == ["gras"]
    assert begins("red gras ") == begins("red, gras.") == []
    assert begins("re") == []  # too short to say anything
    assert begins("烤鸭") == []  # is found inside of others anyway
    assert begins("dog on the") == []  # what counts is not the last word


@pytest.mark.parametrize(
    "hostile",
    [
        'NEAR("a" b) AND * OR NOT ^x -y +z',
        "'; DROP TABLE images; --",
        "a:b {caption}: \"x\" 'y':* | !z & (w) \\ \\'",
        "\0\x01\x7f\ud800",
        "%s %(x)s :name ? $1",
    ],
)
def test_words_hold_nothing_that_means_anything_to_a_database(hostile):
    for word in [*words_of(hostile), *words_of_name(hostile), *asked(hostile)]:
        assert word.isalnum()


def test_a_long_text_has_words_of_bounded_length_and_a_question_a_bounded_number():
    assert words_of("x" * 5000) == ["x" * LONGEST_WORD]
    assert asked("x" * 5000) == ["x" * LONGEST_WORD]
    assert len(asked("京都" * 250)) <= MOST_WORDS
    assert len(asked(" ".join(f"word{number}" for number in range(100)))) == MOST_WORDS
