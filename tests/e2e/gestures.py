"""What a person does with a mouse that a browser under test cannot: drag a file from elsewhere, and paste one."""

import base64

from playwright.sync_api import Locator, Page

FILES = """(files) => {
  const transfer = new DataTransfer();
  for (const [name, data] of files) {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type: name.endsWith(".txt") ? "text/plain" : "image/jpeg" }));
  }
  return transfer;
}"""

Files = list[tuple[str, bytes]]


def scripted(page: Page) -> None:
    """Return when the scripts of the page that is shown have run, as they have before a hand has moved.

    A link that was clicked may have shown the next page already, and module scripts run behind its markup.
    """
    page.wait_for_load_state("domcontentloaded")


def _transfer(page: Page, files: Files):
    scripted(page)
    packed = [[name, base64.b64encode(data).decode()] for name, data in files]
    return page.evaluate_handle(FILES, packed)


def drop(page: Page, files: Files, target: str | None = None) -> None:
    """Drag files over the page and let them go, anywhere or on the target `search` or `upload` of the overlay."""
    transfer = _transfer(page, files)
    page.dispatch_event("body", "dragenter", {"dataTransfer": transfer})
    page.dispatch_event("body", "dragover", {"dataTransfer": transfer})
    place = page.locator(f"[data-drop={target}]" if target else "main").first
    place.dispatch_event("dragover", {"dataTransfer": transfer})
    place.dispatch_event("drop", {"dataTransfer": transfer})


def paste(page: Page, files: Files) -> None:
    """Paste files as if they had been copied elsewhere."""
    transfer = _transfer(page, files)
    page.evaluate(
        """(transfer) => document.body.dispatchEvent(
          new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true }))""",
        transfer,
    )


def names(tiles: Locator) -> list[str]:
    """Return the file names of the tiles, as their check boxes say them to a screen reader."""
    return [words.removeprefix("Select ") for words in tiles.locator(".tile-select").all_inner_texts()]
