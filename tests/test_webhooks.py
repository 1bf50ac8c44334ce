"""Webhooks of saved searches, told to a real receiver on this machine."""

import hashlib
import hmac
import json
import re
import threading
from datetime import UTC, datetime
from http.server import HTTPServer
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hook_receiver import Receiver, receiving
from house import House
from putting import putting
from saved import analyze, let_webhooks_wait_no_more, save

from pipeline import curation, delivering, saved_searches, saved_webhooks
from pipeline.errors import Conflict, InvalidQuery, NotAllowed, NotFound
from pipeline.principals import OWNER, Role
from pipeline.questions import Term
from pipeline.settings import read_settings
from pipeline.stores import records_libraries, records_webhooks
from pipeline.stores.tables_searches import saved_matches, webhooks
from pipeline.webhook_sending import NOT_PUBLIC

pytestmark = pytest.mark.on_both_databases

PAGE = Path(__file__).parent.parent / "docs" / "saved-searches.md"

RED, BLUE = "#dc1e1e", "#1e1edc"
WORD = Term(text="red")


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"webhook_allow": "127.0.0.0/8", "public_url": "https://pictures.example"})


@pytest.fixture
def receiver():
    with receiving() as opened:
        yield opened


@pytest.fixture
def hooked(backend, receiver):
    """A saved search for red pictures, with the secret of its webhook."""
    search = save(backend, WORD)
    return search, saved_webhooks.set_webhook(backend, OWNER, search.id, receiver.address)


def add(backend, *names: str, **options) -> None:
    for number, name in enumerate(names):
        putting(backend)(color=RED, filename=name, seed=100 * len(name) + number + options.pop("seed", 0), **options)
    analyze(backend)


def told(receiver: Receiver) -> list[list[str]]:
    """Return the file names of every delivery that arrived."""
    return [[match["filename"] for match in json.loads(one.body)["matches"]] for one in receiver.received]


def state(backend, search) -> records_webhooks.Webhook:
    found = saved_webhooks.webhook_of(backend, OWNER, search.id)
    assert found
    return found


def test_new_matches_come_together_signed_and_once(backend, receiver, hooked):
    search, secret = hooked
    add(backend, "a.png", "b.png")
    putting(backend)(color=BLUE, filename="not asked for.png")
    analyze(backend)

    assert delivering.deliver_due(backend) == 1
    assert delivering.deliver_due(backend) == 0

    (one,) = receiver.received
    body = json.loads(one.body)
    assert one.path == "/hook"
    assert one.headers["Content-Type"] == "application/json"
    assert one.headers["Likeness-Event"] == "matches"
    assert one.headers["Likeness-Delivery"] == body["delivery"]
    assert body["search"] == {"id": search.id, "name": "mine"}
    assert [match["filename"] for match in body["matches"]] == ["a.png", "b.png"]
    first = body["matches"][0]
    assert first["url"] == f"https://pictures.example/images/{first['image_id']}"
    assert (first["library"], first["strength"]) == ("main", "strong")
    assert 0.9 < first["similarity"] <= 1
    moment, _, mark = one.headers["Likeness-Signature"].partition(",")
    signed = moment.removeprefix("t=").encode() + b"." + one.body
    assert mark == f"v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"
    assert state(backend, search).delivered_at is not None
    assert state(backend, search).error == ""


def test_the_signature_is_that_of_a_reference():
    """Computed with `printf '1700000000.{}' | openssl dgst -sha256 -hmac key`."""
    assert delivering.signature("key", 1_700_000_000, b"{}") == (
        "t=1700000000,v1=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae"
    )


def test_what_is_found_within_a_minute_waits_for_the_next_delivery(backend, receiver, hooked):
    search, _ = hooked
    add(backend, "a.png")
    delivering.deliver_due(backend)
    add(backend, "bb.png")

    assert delivering.deliver_due(backend) == 0
    assert (state(backend, search).not_before - datetime.now(UTC)).total_seconds() > 30
    let_webhooks_wait_no_more(backend.database)
    delivering.deliver_due(backend)

    assert told(receiver) == [["a.png"], ["bb.png"]]


def test_what_was_found_before_there_was_a_webhook_is_not_sent(backend, receiver):
    search = save(backend, WORD)
    add(backend, "before.png")
    saved_webhooks.set_webhook(backend, OWNER, search.id, receiver.address)

    assert delivering.deliver_due(backend) == 0
    add(backend, "after it.png")
    delivering.deliver_due(backend)

    assert told(receiver) == [["after it.png"]]


def test_what_was_not_taken_is_sent_again_under_the_same_id(backend, receiver, hooked):
    search, _ = hooked
    receiver.answers = [500]
    add(backend, "a.png")
    delivering.deliver_due(backend)

    assert state(backend, search).error == "The receiver answered with status 500."
    assert delivering.deliver_due(backend) == 0
    add(backend, "bb.png")
    let_webhooks_wait_no_more(backend.database)
    delivering.deliver_due(backend)

    assert told(receiver) == [["a.png"], ["a.png"]]
    first, second = receiver.received
    assert first.headers["Likeness-Delivery"] == second.headers["Likeness-Delivery"]
    assert state(backend, search).error == ""
    let_webhooks_wait_no_more(backend.database)
    delivering.deliver_due(backend)
    assert told(receiver)[2:] == [["bb.png"]]


@pytest.mark.usefixtures("hooked")
def test_a_process_that_dies_while_it_sends_loses_nothing(backend, receiver, monkeypatch):
    class Died(BaseException):
        pass

    def die(*_, **__):
        raise Died

    add(backend, "a.png")
    with monkeypatch.context() as patch:
        patch.setattr(delivering, "send", die)
        with pytest.raises(Died):
            delivering.deliver_one(backend)
    assert delivering.deliver_due(backend) == 0  # somebody may be sending it at this moment

    let_webhooks_wait_no_more(backend.database)
    delivering.deliver_due(backend)
    assert told(receiver) == [["a.png"]]


@pytest.mark.usefixtures("hooked")
def test_a_process_that_dies_after_it_has_sent_sends_again_under_the_same_id(backend, receiver, monkeypatch):
    class Died(BaseException):
        pass

    def die(*_, **__):
        raise Died

    add(backend, "a.png")
    with monkeypatch.context() as patch:
        patch.setattr(delivering.records_webhooks, "finish", die)
        with pytest.raises(Died):
            delivering.deliver_one(backend)
    let_webhooks_wait_no_more(backend.database)
    delivering.deliver_due(backend)

    assert told(receiver) == [["a.png"], ["a.png"]]
    assert len({one.headers["Likeness-Delivery"] for one in receiver.received}) == 1


def test_the_waits_between_tries_double_up_to_six_hours():
    minutes = [wait / 60 for wait in delivering.WAITS]

    assert minutes == [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360, 360]


def test_after_the_last_try_it_is_given_up_and_can_be_begun_again(backend, receiver, hooked):
    search, _ = hooked
    receiver.answers = [503] * delivering.MOST_TRIES
    add(backend, "a.png")
    for _ in range(delivering.MOST_TRIES):
        let_webhooks_wait_no_more(backend.database)
        assert delivering.deliver_due(backend) == 1

    let_webhooks_wait_no_more(backend.database)
    assert delivering.deliver_due(backend) == 0
    given_up = state(backend, search)
    assert given_up.stopped
    assert given_up.error == delivering.GIVEN_UP.format(error="The receiver answered with status 503.", tries=12)
    add(backend, "bb.png")

    saved_webhooks.try_again(backend, OWNER, search.id)
    delivering.deliver_due(backend)
    let_webhooks_wait_no_more(backend.database)
    delivering.deliver_due(backend)

    assert told(receiver)[12:] == [["a.png"], ["bb.png"]]
    assert not state(backend, search).stopped


def test_a_receiver_that_wants_no_more_gets_no_more(backend, receiver, hooked):
    search, _ = hooked
    receiver.answers = [410]
    add(backend, "a.png")
    delivering.deliver_due(backend)

    assert state(backend, search).stopped
    assert state(backend, search).error == delivering.WANTS_NO_MORE


def test_redirects_are_not_followed(backend, receiver, hooked):
    search, _ = hooked
    receiver.answers = [307]
    add(backend, "a.png")
    delivering.deliver_due(backend)

    assert [one.path for one in receiver.received] == ["/hook"]
    assert "redirect (307)" in state(backend, search).error


@pytest.mark.usefixtures("hooked")
def test_several_processes_send_a_delivery_once(backend, receiver):
    add(backend, "a.png")
    threads = [threading.Thread(target=delivering.deliver_one, args=(backend,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert told(receiver) == [["a.png"]]


@pytest.mark.usefixtures("hooked")
def test_a_large_batch_comes_in_parts(backend, receiver, monkeypatch):
    monkeypatch.setattr(records_webhooks, "MOST_IN_A_DELIVERY", 2)
    add(backend, "a.png", "b.png", "c.png")
    delivering.deliver_due(backend)
    let_webhooks_wait_no_more(backend.database)
    delivering.deliver_due(backend)

    assert told(receiver) == [["a.png", "b.png"], ["c.png"]]


def test_a_new_address_gets_what_the_old_one_has_not_taken(backend, receiver, hooked):
    search, old = hooked
    receiver.answers = [500]
    add(backend, "a.png")
    delivering.deliver_due(backend)

    with receiving() as other:
        new = saved_webhooks.set_webhook(backend, OWNER, search.id, other.address)
        delivering.deliver_due(backend)
        assert told(other) == [["a.png"]]
    assert new != old
    assert len(receiver.received) == 1


def test_a_paused_search_sends_nothing(backend, receiver, hooked):
    search, _ = hooked
    add(backend, "a.png")
    saved_searches.pause(backend, OWNER, search.id, paused=True)

    assert delivering.deliver_due(backend) == 0
    assert receiver.received == []


def test_a_webhook_that_was_removed_is_told_nothing(backend, receiver, hooked):
    search, _ = hooked
    add(backend, "a.png")
    saved_webhooks.remove_webhook(backend, OWNER, search.id)

    assert delivering.deliver_due(backend) == 0
    assert receiver.received == []
    with pytest.raises(Conflict):
        saved_webhooks.try_again(backend, OWNER, search.id)
    saved_searches.delete(backend, OWNER, search.id)
    with backend.database.read() as connection:
        assert connection.execute(sa.select(saved_matches)).all() == connection.execute(sa.select(webhooks)).all() == []


def test_the_receiver_of_the_documents_takes_what_is_genuine_and_nothing_else(backend):
    code = re.search(r"```python\n(.*?)\n\nHTTPServer", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert code
    names: dict[str, Any] = {}
    exec(code[1], names)  # noqa: S102 - our own document
    server = HTTPServer(("127.0.0.1", 0), names["Receiver"])
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        search = save(backend, WORD)
        address = f"http://127.0.0.1:{server.server_port}/"
        secret = saved_webhooks.set_webhook(backend, OWNER, search.id, address)
        add(backend, "a.png")
        delivering.deliver_due(backend)
        assert state(backend, search).error == "The receiver answered with status 403."
        assert names["SEEN"] == set()

        names["SECRET"] = secret.encode()
        let_webhooks_wait_no_more(backend.database)
        delivering.deliver_due(backend)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert state(backend, search).error == ""
    assert len(names["SEEN"]) == 1


# ---- What may be told, and where to


def test_what_was_deleted_meanwhile_is_not_told(backend, receiver, hooked):
    search, _ = hooked
    image = putting(backend)(color=RED, filename="secret.png")
    analyze(backend)
    curation.delete(backend, [image.id], OWNER)

    assert delivering.deliver_due(backend) == 1
    assert receiver.received == []
    assert state(backend, search).delivered_at is None
    assert not state(backend, search).is_waiting


@pytest.fixture
def house(backend) -> House:
    return House(backend)


def test_whoever_was_removed_is_told_nothing_of_before_also_when_it_is_tried_again(backend, house, receiver):
    library = house.library("family", ann=Role.OWNER, vic=Role.VIEWER)
    vic = house.asks("vic")
    search = save(backend, WORD, who=vic)
    saved_webhooks.set_webhook(backend, vic, search.id, receiver.address)
    receiver.answers = [500]
    putting(backend)(color=RED, filename="family.png", library=library)
    analyze(backend)
    delivering.deliver_due(backend)
    assert told(receiver) == [["family.png"]]

    with backend.database.write() as connection:
        records_libraries.remove_member(connection, library, vic.person_id)
    let_webhooks_wait_no_more(backend.database)
    delivering.deliver_due(backend)

    assert len(receiver.received) == 1


def test_a_deactivated_account_is_told_nothing(backend, house, receiver):
    library = house.library("family", ann=Role.OWNER)
    ann = house.asks("ann")
    search = save(backend, WORD, who=ann)
    saved_webhooks.set_webhook(backend, ann, search.id, receiver.address)
    putting(backend)(color=RED, filename="a.png", library=library)
    analyze(backend)
    house.change("ann", deactivated_at=datetime.now(UTC))

    assert delivering.deliver_due(backend) == 0
    assert receiver.received == []


def test_a_webhook_is_set_by_its_owner_and_the_log_tells_the_host_alone(backend, house):
    house.library("family", ann=Role.OWNER, zoe=Role.OWNER)
    search = save(backend, WORD, who=house.asks("ann"))
    address = "http://127.0.0.1:9/a-secret-path"
    with pytest.raises(NotFound):
        saved_webhooks.set_webhook(backend, house.asks("zoe"), search.id, address)

    saved_webhooks.set_webhook(backend, house.asks("ann"), search.id, address)
    saved_webhooks.remove_webhook(backend, house.asks("ann"), search.id)

    assert house.log()[-2:] == [("ann", "webhook set", "127.0.0.1"), ("ann", "webhook removed", "127.0.0.1")]


def test_an_address_inside_is_refused_when_it_is_set_and_when_it_is_sent(settings, open_grid_backend, receiver):
    open_one = open_grid_backend(settings)
    search = save(open_one, WORD)
    saved_webhooks.set_webhook(open_one, OWNER, search.id, receiver.address)
    add(open_one, "a.png")
    strict = open_grid_backend(settings.model_copy(update={"webhook_allow": ""}))

    with pytest.raises(InvalidQuery) as caught:
        saved_webhooks.set_webhook(strict, OWNER, search.id, receiver.address)
    delivering.deliver_due(strict)

    assert caught.value.user_message == NOT_PUBLIC.format(host="127.0.0.1")
    assert state(strict, search).error == NOT_PUBLIC.format(host="127.0.0.1")
    assert receiver.received == []


def test_where_webhooks_are_switched_off_nothing_is_sent(settings, open_grid_backend, receiver):
    backend = open_grid_backend(settings)
    search = save(backend, WORD)
    saved_webhooks.set_webhook(backend, OWNER, search.id, receiver.address)
    add(backend, "a.png")
    off = open_grid_backend(settings.model_copy(update={"webhooks": False}))

    assert delivering.deliver_due(off) == 0
    with pytest.raises(NotAllowed):
        saved_webhooks.set_webhook(off, OWNER, search.id, receiver.address)


def test_hosts_and_networks_are_settings_that_are_checked(tmp_path):
    assert read_settings(data=tmp_path, webhook_allow="hooks.internal, 10.0.0.0/8").webhook_allow
    with pytest.raises(Exception, match="LIKENESS_WEBHOOK_ALLOW"):
        read_settings(data=tmp_path, webhook_allow="10.0.0.0/99")
