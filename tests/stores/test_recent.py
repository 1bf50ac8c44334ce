from pipeline.stores.recent import Recent


def test_the_last_answers_are_known_until_something_has_changed():
    recent: Recent[str, int] = Recent(2)
    for key, answer in (("a", 1), ("b", 2), ("c", 3)):
        recent.put(7, key, answer)
    assert [recent.get(7, key) for key in "abc"] == [None, 2, 3]
    assert recent.get(8, "c") is None
    recent.put(8, "d", 4)
    assert [recent.get(8, key) for key in "cd"] == [None, 4]


def test_an_answer_that_was_long_in_coming_does_not_stand_for_what_is_there_now():
    recent: Recent[str, int] = Recent(2)
    recent.put(8, "a", 2)
    recent.put(7, "a", 1)
    assert recent.get(8, "a") == 2
    assert recent.get(7, "a") is None


def test_what_is_asked_for_again_stays():
    recent: Recent[str, int] = Recent(2)
    recent.put(1, "a", 1)
    recent.put(1, "b", 2)
    recent.get(1, "a")
    recent.put(1, "c", 3)
    assert [recent.get(1, key) for key in "abc"] == [1, None, 3]
