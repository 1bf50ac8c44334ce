"""Who a request comes from: cookies, tokens of the API, CSRF tokens, and the server before it has accounts."""

from tests.web.members import Browser, api, log_in, make_person, make_token


def test_after_logging_in_the_pages_open(people_client):
    browser = log_in(people_client, "ada")
    assert browser.get("/").status_code == 200
    assert browser.csrf_token


def test_a_token_opens_the_api(people_client):
    person = make_person(people_client, "bea")
    assert api(people_client, make_token(people_client, person)).get("/api/v1/images").status_code == 200


def test_a_browser_without_a_session_is_led_to_the_login(people_client):
    answer = Browser(people_client).get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
