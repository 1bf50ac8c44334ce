"""What is uploaded on the web is rung for, and nobody who uploads notices when that cannot be."""

from command import wait_until
from pictures import picture_bytes
from redis_server import RedisServer

from tests.web.conftest import OpenClient, upload


def test_what_is_uploaded_is_rung_for(open_client: OpenClient, tmp_path):
    redis = RedisServer(durable=False)
    with open_client(tmp_path / "data", queue_url=redis.url, with_worker=False) as client:
        assert upload(client, picture_bytes(), wait="false").status_code == 201
        wait_until(lambda: redis.messages() == 1)
    redis.close()


def test_an_upload_is_taken_in_while_redis_is_down(open_client: OpenClient, tmp_path):
    redis = RedisServer()
    redis.close()
    with open_client(tmp_path / "data", queue_url=redis.url) as client:
        answer = upload(client, picture_bytes())
        assert (answer.status_code, answer.json()["state"]) == (201, "ready")
        assert client.get("/readyz").status_code == 200


def test_a_queue_that_is_down_is_told_where_people_look(open_client: OpenClient, tmp_path):
    redis = RedisServer(durable=False)
    with open_client(tmp_path / "data", queue_url=redis.url) as client:
        assert client.get("/api/v1/status").json()["stores"][-1]["sentence"].startswith("It answers.")
        redis.close()
        told = client.get("/api/v1/status").json()["stores"][-1]
        page = client.get("/status").text

    assert (told["name"], told["address"], told["healthy"]) == ("Queue", redis.url, False)
    assert told["sentence"].startswith("Redis does not answer. Celery workers cannot be rung.")
    assert "Celery workers cannot be rung. Nothing is lost" in page
