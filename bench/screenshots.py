"""The pictures of the documents: a search, an image page, and the review desk, of photos that come with scikit-image.

`python bench/screenshots.py FOLDER` starts the application on a data folder of its own, fills it, and writes
search.webp, image.webp, review.webp and compare.webp into FOLDER (docs/images). It needs Chromium.
"""

import io
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import skimage.data
import sklearn.datasets
from PIL import Image, ImageEnhance, ImageOps
from playwright.sync_api import sync_playwright

SKIMAGE = Path(skimage.data.__file__).parent
SKLEARN = Path(sklearn.datasets.__file__).parent / "images"
PHOTOS = [
    SKIMAGE / name
    for name in (
        "chelsea.png",
        "coffee.png",
        "astronaut.png",
        "rocket.jpg",
        "motorcycle_left.png",
        "hubble_deep_field.jpg",
        "coins.png",
        "grass.png",
        "gravel.png",
        "retina.jpg",
        "moon.png",
        "ihc.png",
        "page.png",
    )
] + [SKLEARN / "china.jpg", SKLEARN / "flower.jpg"]
KIN_OF = {"chelsea.png", "coffee.png", "flower.jpg", "rocket.jpg"}
WIDTH, HEIGHT = 1280, 800
WEBP_QUALITY = 82


def main(folder: Path) -> None:
    """Write the pictures into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        port = _free_port()
        command = [Path(sys.executable).with_name("likeness"), "serve", "--port", str(port)]
        server = subprocess.Popen(command, env={"LIKENESS_DATA": data, "PATH": "/usr/bin:/bin"})
        try:
            with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                _wait_for(client)
                _fill(client)
                _wait_for_groups(client)
                _photograph(client, folder)
        finally:
            server.terminate()
            server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(client: httpx2.Client) -> None:
    for _ in range(300):
        try:
            client.get("/livez")
        except httpx2.TransportError:
            time.sleep(0.2)
        else:
            return
    raise SystemExit("The application did not start.")


def _fill(client: httpx2.Client) -> None:
    for name, data in _pictures():
        answer = client.post("/api/v1/images", files={"file": (name, data)}, data={"wait": "true"})
        answer.raise_for_status()


def _wait_for_groups(client: httpx2.Client) -> None:
    """Return when the copies of each of KIN_OF have been found."""
    for _ in range(600):
        answer = client.get("/api/v1/duplicates")
        if answer.is_success and len(answer.json()["groups"]) >= len(KIN_OF):
            return
        time.sleep(0.5)
    raise SystemExit("The copies were not found.")


def _pictures() -> Iterator[tuple[str, bytes]]:
    for path in PHOTOS:
        with Image.open(path) as opened:
            photo = opened.convert("RGB")
        photo.thumbnail((900, 900))
        yield f"{path.stem}.jpg", _jpeg(photo)
        if path.name in KIN_OF:
            width, height = photo.size
            yield f"{path.stem}-crop.jpg", _jpeg(photo.crop((width // 5, height // 6, width, height * 5 // 6)))
            yield f"{path.stem}-mirrored.jpg", _jpeg(ImageOps.mirror(photo))
            yield f"{path.stem}-faded.jpg", _jpeg(ImageEnhance.Color(photo).enhance(0.35))


def _jpeg(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=88)
    return stream.getvalue()


def _photograph(client: httpx2.Client, folder: Path) -> None:
    with Image.open(SKIMAGE / "chelsea.png") as opened:
        query = _jpeg(opened.convert("RGB").crop((60, 0, 380, 260)))
    search = client.post("/search", files={"file": ("cat.jpg", query)}).headers["location"]
    images = client.get("/api/v1/images", params={"limit": 100}).json()["images"]
    ids = {image["filename"]: image["id"] for image in images}
    groups = client.get("/api/v1/duplicates").json()["groups"]
    cats = next(group["id"] for group in groups if any("chelsea" in image["filename"] for image in group["images"]))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        for name, address, mode in (
            ("search", search, ""),
            ("image", f"/images/{ids['flower.jpg']}", ""),
            ("review", f"/duplicates/{cats}?left={ids['chelsea.jpg']}&right={ids['chelsea-crop.jpg']}", "side"),
            ("compare", f"/compare?a={ids['coffee.jpg']}&b={ids['coffee-faded.jpg']}", "swipe"),
        ):
            page.goto(f"{client.base_url}{address}", wait_until="networkidle")
            if mode:
                page.locator(f'[data-mode][value="{mode}"]').check(force=True)
            with Image.open(io.BytesIO(page.screenshot())) as shot:
                shot.save(folder / f"{name}.webp", quality=WEBP_QUALITY)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images"))
