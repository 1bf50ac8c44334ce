"""Values for every page, from nothing at all to hostile names: for the tests of templates and the preview."""

import colorsys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.features.picture import CATEGORIES, COLOR_NAMES, Category, Palette, Swatch
from pipeline.images import ImageRecord, ImageState
from webapp import pages, pages_api_docs, pages_colors, pages_image, pages_stacks, pages_uploads

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
LONG = "a-very-long-file-name-without-a-single-space-" * 5 + ".jpeg"
RIGHT_TO_LEFT = "صورة العطلة \u202e gpj.exe"
NAMES = (
    "harbor at dawn.jpg",
    "IMG_2041.HEIC",
    "grandmother's kitchen.png",
    "scan 12.tif",
    LONG,
    RIGHT_TO_LEFT,
    HOSTILE,
)
SHAPES = (
    (3000, 2000),
    (2000, 3000),
    (1600, 1600),
    (4032, 3024),
    (1080, 1920),
    (9000, 900),
    (400, 4000),
    (1920, 1080),
)
SHELL = pages.Shell(
    active="search", encoder="lite", formats="JPEG, PNG, GIF, WebP, AVIF, HEIC, TIFF, BMP", max_upload="50 MB"
)
DRAWN_COLORS = (
    *("#222222", "#f5f5f5", "#8a8a8a", "#c62828", "#ef7d1a", "#f2cf2c"),
    *("#3c8d40", "#2c65c9", "#7a3fa3", "#e88bb0", "#7a4f2d"),
)
STRENGTHS = (("strong", "very similar"), ("possible", "similar"), ("weak", "barely similar"))


def hexadecimal(number: int, lightness: float = 0.5) -> str:
    red, green, blue = colorsys.hls_to_rgb(number * 0.618 % 1, lightness, 0.45)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"


def image(number: int = 0, **changes: Any) -> ImageRecord:
    width, height = SHAPES[number % len(SHAPES)]
    swatches = tuple(
        Swatch(lab=(50.0, 0.0, 0.0), hex=hexadecimal(number + i, 0.25 + 0.15 * i), share=share)
        for i, share in enumerate((0.46, 0.31, 0.18, 0.05))
    )
    shares = {name: 1 / len(COLOR_NAMES) for name in COLOR_NAMES}
    scores = {name: (0.55 if name == "landscape" else 0.05) for name in CATEGORIES}
    record = ImageRecord(
        row=number + 1,
        id=f"01930000-0000-7000-8000-{number:012d}",
        library="main",
        state=ImageState.READY,
        error=None,
        filename=NAMES[number % len(NAMES)],
        media_type="image/jpeg",
        bytes=2_400_000 + number,
        width=width,
        height=height,
        sha256="0" * 64,
        caption="",
        tags=(),
        created_at=datetime(2026, 11, 5, 12, 0, tzinfo=UTC) - timedelta(days=number),
        taken_at=None,
        deleted_at=None,
        path=None,
        encoder="lite",
        category=Category("landscape", 0.55, scores),
        color=Palette(swatches, shares, "cool", 0.42, 0.31),
    )
    return replace(record, **changes)


def tile(number: int = 0, strength: int | None = None, **changes: Any) -> pages.Tile:
    found = image(number, **changes)
    kind, words = STRENGTHS[strength] if strength is not None else (None, "")
    return pages.Tile(
        image=found,
        url=f"/images/{found.id}",
        thumbnail_url=f"/sample/{number}.svg",
        thumbnail_srcset=f"/sample/{number}.svg 320w, /sample/{number}.svg?px=640 640w",
        alt=f"landscape, {found.filename}",
        similarity=None if strength is None else round(0.95 - 0.2 * strength - number / 5000, 4),
        strength=kind,  # type: ignore[arg-type]
        strength_words=words,
        reason="The very same file" if strength == 0 and number == 0 else "",
        more_like_this_url=f"/?like={found.id}",
        stacked=3 if number % 9 == 4 else 0,
        stack_url=f"/images/{found.id}/stack?text=harbor" if number % 9 == 4 else "",
    )


def facets() -> tuple[pages.Facet, ...]:
    categories = tuple(
        pages.FacetOption(name, name, 100 + 37 * len(name) ** 2, name == "animal") for name in CATEGORIES
    )
    drawn = dict(zip(COLOR_NAMES, DRAWN_COLORS, strict=True))
    colors = tuple(
        pages.FacetOption(name, name, 7 * len(name) ** 2, name == "blue", color) for name, color in drawn.items()
    )
    schemes = tuple(pages.FacetOption(name, name, 12, chosen=False) for name in ("warm", "cool", "neutral"))
    libraries = (
        pages.FacetOption("main", "main", 1204, chosen=False),
        pages.FacetOption(HOSTILE, HOSTILE, 3, chosen=False),
    )
    return (
        pages.Facet("category", "Category", "list", categories),
        pages.Facet("color_name", "Color", "swatches", colors),
        pages.Facet("scheme", "Scheme", "list", schemes),
        pages.Facet("library", "Library", "list", libraries),
        pages.Facet("tag", "Tags", "list", ()),
    )


def search_page(count: int = 12, *, asked: bool = False, weak: int = 0, **changes: Any) -> pages.SearchPage:
    tiles = tuple(tile(n, (0 if n < count / 2 else 1) if asked else None) for n in range(count))
    value = pages.SearchPage(
        shell=SHELL,
        text="",
        asked=asked,
        chips=(),
        clear_url="/",
        heading="Pictures like this one" if asked else "All pictures",
        query_fields=(("picture", "abc"),) if asked else (),
        facets=facets(),
        ranges=pages.RangeFields(),
        tiles=tiles,
        weak_tiles=tuple(tile(count + n, 2) for n in range(weak)),
        weak_count=weak,
        summary=f"{count} pictures · 12 ms",
        verdict="match" if asked else "",
        hint="",
        problem="",
        empty=None,
        library_is_empty=False,
        more_url="/?offset=60" if count >= 60 else None,
        permalink="/?picture=abc",
    )
    return replace(value, **changes)


def weights() -> tuple[pages.Choice, ...]:
    labels = ("\N{MINUS SIGN}1", "\N{MULTIPLICATION SIGN}1", "\N{MULTIPLICATION SIGN}2")
    return tuple(pages.Choice(label, f"/?w={number}", chosen=number == 2) for number, label in enumerate(labels))


def chips() -> tuple[pages.Chip, ...]:
    return (
        pages.Chip(
            "picture",
            "your picture",
            "/",
            thumbnail_url="/sample/3.svg",
            weight="\N{MULTIPLICATION SIGN}2",
            weights=weights(),
            later_url="/?later",
            region_url="/region?picture=a&part=0",
            whole_url="/?whole",
            key="0a1b2c3d-1",
            later_said="your picture is now 2 of 2",
        ),
        pages.Chip(
            "text",
            HOSTILE,
            "/?a",
            weight="\N{MINUS SIGN}1",
            weights=weights(),
            earlier_url="/?earlier",
            key="4e5f6a7b-1",
            is_negative=True,
        ),
        pages.Chip("filter", "animal", "/?b"),
        pages.Chip("filter", "blue", "/?c", color="#2c65c9"),
        pages.Chip("filter", LONG, "/?d"),
    )


def color_fields(color: str, **changes: Any) -> pages_colors.ColorFields:
    options = (
        pages_colors.ShareOption(color, "any share", is_chosen=False),
        pages_colors.ShareOption(f"{color}:0.37", "37 %", is_chosen=True),
    )
    row = pages_colors.ColorRow(1, color, "blue", f"{color}:0.37", options, "/?e")
    return replace(pages_colors.ColorFields(rows=(row,)), **changes)


def search_pages() -> dict[str, pages.SearchPage]:
    nothing = pages.Emptiness(
        "No picture here looks like this",
        "The nearest ones are too far away to be called similar.",
        (("Add this picture", "/upload"), ("Show everything", "/")),
    )
    return {
        "first": search_page(0, library_is_empty=True),
        "all": search_page(12),
        "stacks": search_page(12, asked=True, copies=pages.Choice("Stack copies", "/?text=harbor", chosen=True)),
        "one": search_page(1, asked=True),
        "asked": search_page(24, asked=True, weak=23, chips=chips(), text=HOSTILE),
        "folded": search_page(3, asked=True, weak=57, more_url="/?text=dog&offset=60"),
        "weak": search_page(0, asked=True, weak=9, verdict="weak"),
        "none": search_page(0, asked=True, empty=nothing, weak=4, verdict="none", summary="Nothing similar · 9 ms"),
        "problem": search_page(0, problem="The color “blau” is not a color code. Write it like #3a6ea5."),
        "address": search_page(
            0,
            asked=True,
            text="https://pictures.example/cat.jpg",
            summary="",
            fetch_url="https://pictures.example/" + "long/" * 100 + HOSTILE,
        ),
        "saved": search_page(
            12, asked=True, saving_urls=(("CSV", "/results.csv?text=dog"), ("JSON", "/results.json?text=dog"))
        ),
        "hint": search_page(
            5,
            text="dog wearing a zyxw",
            hint="The word “zyxw” was not understood and is left out.",
            ranges=pages.RangeFields(
                min_brightness="0.37",
                created_after="2020-01-01",
                min_width="800",
                tag=HOSTILE,
            ),
            colors=color_fields("#3a6ea5", tolerance="17"),
        ),
        "many": search_page(300),
        "deleted": search_page(12, shell=replace(SHELL, notice="3 pictures were deleted.", undo_ids=("a", "b", "c"))),
    }


def upload_page(count: int = 7, **changes: Any) -> pages_uploads.UploadPage:
    outcomes = ("waiting", "added", "existing", "failed", "refused")
    sentences = (
        "Being looked at",
        "Added",
        "Already here since 5 November 2026",
        "The analysis failed twice. Try again from its page.",
        "This picture has 412 megapixels; the limit is 100. Please upload a smaller version.",
    )
    cards = tuple(
        pages_uploads.UploadCard(
            id=f"card{n}",
            number=n,
            filename=NAMES[n % len(NAMES)],
            size="2.4 MB",
            outcome=outcomes[n % 5],  # type: ignore[arg-type]
            sentence=sentences[n % 5],
            image=image(n) if n % 5 in (1, 2) else None,
            tile=tile(n) if n % 5 in (0, 1, 2) else None,
            kin=tuple(tile(k, 0) for k in range(3)) if n % 5 == 1 else (),
        )
        for n in range(count)
    )
    shell = replace(SHELL, active="upload")
    value = pages_uploads.UploadPage(
        shell=shell,
        batch="batch1",
        cards=cards,
        totals="1 added · 1 already here · 2 refused · 1 waiting" if count else "",
        poll_url="/upload/changes?batch=batch1" if count else None,
    )
    return replace(value, **changes)


def image_page(number: int = 0, record: ImageRecord | None = None, **changes: Any) -> pages_image.ImagePage:
    found = record or image(number)
    color, category = found.color, found.category
    value = pages_image.ImagePage(
        shell=replace(SHELL, active=""),
        image=found,
        title=found.filename,
        display_url=f"/sample/{number}.svg?px=1600",
        original_url=f"/sample/{number}.svg?download=1",
        palette=tuple(
            pages_image.PaletteBar(s.hex, "dark blue", s.share, f"{s.share:.0%}", "/?color=" + s.hex[1:])
            for s in (color.swatches if color else ())
        ),
        categories=tuple(
            pages_image.ScoreBar(name, score, f"{score:.0%}", f"/?category={name}")
            for name, score in (list(category.scores.items())[:4] if category else ())
        ),
        facts=(
            pages.Fact("Dimensions", "3,000 by 2,000 px, 6 megapixels"),
            pages.Fact("Size", "2.4 MB, JPEG"),
            pages.Fact("File", found.filename),
            pages.Fact("Added", "5 November 2026, 12:00"),
            pages.Fact("Camera", "Fujifilm X-T4, 1/250 s, f/4"),
        ),
        likes=tuple(tile(n + 1, 0) for n in range(9)),
        more_like_this_url=f"/?like={found.id}",
        region_url=f"/region?like={found.id}",
        keywords=tuple(pages_image.WordLink(keyword.word, f"/?text={keyword.word}") for keyword in found.keywords),
        tags_text=", ".join(found.tags),
    )
    return replace(value, **changes)


def image_pages() -> dict[str, pages_image.ImagePage]:
    bare = {"category": None, "color": None, "encoder": None}
    waiting = image(0, state=ImageState.WAITING, **bare)
    failed = image(1, state=ImageState.FAILED, error="This file is damaged. Please export it again.", **bare)
    return {
        "ready": image_page(0, image(0, caption=HOSTILE, tags=("harbor", HOSTILE, "x" * 80))),
        "tall": image_page(6),
        "wide": image_page(5),
        "portrait": image_page(1),
        "waiting": image_page(0, waiting, likes=()),
        "failed": image_page(1, failed, likes=()),
        "held": image_page(2, image(2, state=ImageState.HELD)),
        "deleted": image_page(3, image(3, deleted_at=datetime(2026, 11, 6, tzinfo=UTC))),
        "problem": image_page(4, problem="A tag has at most 100 letters. Please shorten it."),
    }


def status_page(*, busy: bool = True) -> pages.StatusPage:
    return pages.StatusPage(
        shell=replace(SHELL, active="status"),
        headline="312 pictures are being looked at" if busy else "Everything is well",
        counts=(
            ("pictures", "12,345"),
            ("waiting", "312"),
            ("could not be analyzed", "3"),
            ("deleted", "17"),
        ),
        remaining="About 4 minutes to go at 80 pictures a minute." if busy else "",
        failed=tuple(
            pages.FailedImage("/images/1", name, "This file is damaged. Please export it again.")
            for name in ("a.jpg", LONG, HOSTILE)
        )
        if busy
        else (),
        failed_count=214 if busy else 0,
        encoder_facts=(
            pages.Fact("Name", "lite"),
            pages.Fact("Dimensions", "512"),
            pages.Fact("Fingerprint", "9f" * 32),
        ),
        encoder_advice="CLIP understands whole sentences. To get it: likeness models pull clip-vit-b32",
        stores=(
            pages.StoreHealth("Database", "sqlite:////home/someone/likeness/data/likeness.db", True, "answers in 1 ms"),
            pages.StoreHealth(
                "Originals",
                "file:///home/someone/" + "deep/" * 20,
                not busy,
                "cannot be written; the disk is full",
            ),
            pages.StoreHealth("Vectors", "faiss", True, "12,345 vectors, up to date"),
        ),
        sizes=(
            pages.Fact("Originals", "31 GB"),
            pages.Fact("Thumbnails", "1.2 GB"),
            pages.Fact("Database", "96 MB"),
        ),
        version="0.1.0",
        waiting=busy,
    )


def selection_page(action: str = "delete") -> pages.SelectionPage:
    return pages.SelectionPage(
        shell=SHELL,
        action=action,  # type: ignore[arg-type]
        question="Delete 3 pictures?" if action == "delete" else "Tag 3 pictures",
        button="Delete 3 pictures" if action == "delete" else "Add tags",
        tiles=tuple(tile(n) for n in (0, 5, 6)),
        back_url="/?text=dog",
    )


def trash_page(**changes: Any) -> pages.TrashPage:
    value = pages.TrashPage(
        shell=replace(SHELL, active=""),
        explanation="Deleted pictures are kept for 30 days.",
        tiles=tuple(tile(n) for n in range(3)),
        older_url="/trash?before=1",
    )
    return replace(value, **changes)


def stack_page() -> pages_stacks.StackPage:
    return pages_stacks.StackPage(
        shell=SHELL,
        name=HOSTILE,
        explanation="4 pictures: the same in several files, formats or sizes.",
        tiles=tuple(tile(n) for n in (0, 5, 6, 7)),
        back_url="/?text=harbor",
        more_url="/images/1/stack?text=harbor&offset=120",
        review_url="/duplicates/1",
    )


def error_page(status: int = 404) -> pages.ErrorPage:
    return pages.ErrorPage(
        shell=replace(SHELL, active=""),
        title="This picture is not here",
        sentence="It may have been deleted. Go back to the search and look for it there.",
        status=status,
    )


def api_docs_page() -> pages_api_docs.ApiDocsPage:
    operation = pages_api_docs.Operation(
        "POST",
        "/api/v1/search",
        "post-search",
        "Search by picture, image or text",
        "Any of the three, with filters.",
        (("file", "file", "The picture to look for"), ("limit", "integer", "At most 100; 20 when absent")),
        (("200", "The results, best first"), ("415", "Not a picture we read")),
        "curl -F file=@dog.jpg http://127.0.0.1:8000/api/v1/search",
    )
    return pages_api_docs.ApiDocsPage(
        shell=replace(SHELL, active=""),
        title="HTTP API",
        introduction="Everything the pages do, for programs.",
        operations=(
            operation,
            replace(
                operation,
                method="GET",
                path="/api/v1/images/{id}",
                anchor="get-image",
                description="",
                parameters=(),
                example="",
            ),
        ),
    )
