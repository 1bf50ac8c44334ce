"""Saved searches on their way to another database: they go on there where they were, and tell nothing twice."""

from dataclasses import replace

import pytest
from hook_receiver import receiving
from putting import putting
from saved import analyze, found, let_webhooks_wait_no_more, save

from pipeline import delivering, saved_searches, saved_webhooks
from pipeline.principals import OWNER
from pipeline.questions import Term
from pipeline.stores.copying import copied_tables, equalize
from pipeline.stores.database import Database
from pipeline.stores.numbering import carry_numbers
from pipeline.stores.swatches import SwatchTable

RED = "#dc1e1e"


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"webhook_allow": "127.0.0.0/8"})


def test_they_are_copied_with_their_matches_and_what_is_still_to_be_told(backend, postgresql):
    search = save(backend, Term(text="red"))
    with receiving() as receiver:
        saved_webhooks.set_webhook(backend, OWNER, search.id, receiver.address)
        receiver.answers = [200, 500]
        for number, name in enumerate(("told.png", "not taken.png")):
            putting(backend)(color=RED, filename=name, seed=number)
            analyze(backend)
            let_webhooks_wait_no_more(backend.database)
            delivering.deliver_due(backend)

        url = postgresql.new_database()
        target = Database(url)
        target.migrate()
        equalize(backend.database, target)
        assert all(difference.is_none for difference in equalize(backend.database, target))
        carry_numbers(backend.database, target, copied_tables())
        moved = replace(backend, database=target, swatches=SwatchTable(target))
        analyze(moved)
        putting(moved)(color=RED, filename="there.png", seed=9)
        analyze(moved)
        let_webhooks_wait_no_more(target)
        delivering.deliver_due(moved)

        assert found(moved, search) == ["told.png", "not taken.png", "there.png"]
        assert [one.id for one in saved_searches.list_saved(moved, OWNER)] == [search.id]
        first, second, third = (one.headers["Likeness-Delivery"] for one in receiver.received)
        assert (first != second, second == third) == (True, True)
        target.close()
