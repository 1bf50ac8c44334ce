"""The application served by a thread of the test process, for a browser and for tests that look into its stores."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2 as httpx
from in_a_thread import free_listener, listening

from pipeline.backend import Backend
from pipeline.settings import read_settings
from webapp.app import create_app


@contextmanager
def served(data: Path, models: Path) -> Iterator[tuple[str, Backend]]:
    """Serve a new data folder with accounts and without a worker; give its address and its stores."""
    app = create_app(read_settings(data=data, models=models, accounts="required"), with_worker=False)
    listener = free_listener()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with listening(listener, app):
        httpx.get(f"{url}/livez", timeout=60).raise_for_status()
        yield url, app.state.running.backend
