"""Each page with sample values, under the address of its preview."""

from dataclasses import replace

from tests.web.samples import (
    api_docs_page,
    error_page,
    image_pages,
    search_pages,
    selection_page,
    stack_page,
    status_page,
    trash_page,
    upload_page,
)
from tests.web.samples_banks import bank_pages
from tests.web.samples_duplicates import compare_pages, identical_pages, queue_pages, review_pages
from tests.web.samples_moderation import choosing_page, deed_pages, moderation_pages, watched_images
from tests.web.samples_people import member_pages
from tests.web.samples_searches import searches_pages
from webapp.dependencies import MOVED_ALREADY
from webapp.pages import StatusPage


def moved(page: StatusPage) -> StatusPage:
    """Return a page as it is when the data has moved away."""
    return replace(page, shell=replace(page.shell, moved=MOVED_ALREADY))


def every_page() -> dict[str, tuple[str, object]]:
    """Return each page under the address of its preview: the template and its value."""
    found: dict[str, tuple[str, object]] = {}
    found |= {f"search-{name}": ("search.html", value) for name, value in search_pages().items()}
    found |= {f"compare-{name}": ("compare.html", value) for name, value in compare_pages().items()}
    found |= {f"duplicates-{name}": ("duplicates.html", value) for name, value in queue_pages().items()}
    found |= {f"review-{name}": ("review.html", value) for name, value in review_pages().items()}
    found |= {f"identical-{name}": ("identical.html", value) for name, value in identical_pages().items()}
    found |= {f"image-{name}": ("image.html", value) for name, value in image_pages().items()}
    found |= {
        "upload-empty": ("upload.html", upload_page(0)),
        "upload-seven": ("upload.html", upload_page(7)),
        "upload-choices": ("upload.html", choosing_page()),
        "upload-hundreds": ("upload.html", upload_page(300)),
        "status-busy": ("status.html", status_page()),
        "status-calm": ("status.html", status_page(busy=False)),
        "status-moved": ("status.html", moved(status_page(busy=False))),
        "selection-delete": ("selection.html", selection_page()),
        "selection-tag": ("selection.html", selection_page("tag")),
        "error-404": ("error.html", error_page()),
        "trash": ("trash.html", trash_page()),
        "stack": ("stack.html", stack_page()),
        "api-docs": ("api_docs.html", api_docs_page()),
    }
    found |= {f"searches-{name}": ("searches.html", value) for name, value in searches_pages().items()}
    found |= {f"moderation-{name}": ("moderation.html", value) for name, value in moderation_pages().items()}
    found |= {f"moderation-deed-{name}": ("moderation_deed.html", value) for name, value in deed_pages().items()}
    found |= {f"image-{name}": ("image.html", value) for name, value in watched_images().items()}
    return found | bank_pages() | member_pages()
