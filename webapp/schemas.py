"""The shapes of the HTTP API, for its documentation and as a check on every answer."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

LONGEST_LIST = 200  # values read before a list is refused; how many make sense is decided further inside


class Swatch(BaseModel):
    hex: str
    share: float


class Color(BaseModel):
    """`names` maps the eleven basic colors to their shares; brightness and saturation are 0 to 1."""

    palette: list[Swatch]
    scheme: Literal["warm", "cool", "neutral"]
    brightness: float
    saturation: float
    names: dict[str, float]


class Category(BaseModel):
    """`scores` maps the ten categories to their probabilities, 0 to 1."""

    name: str
    confidence: float
    scores: dict[str, float]


class Keyword(BaseModel):
    """A word that the encoder finds fitting; `similarity` is the cosine of word and picture."""

    word: str
    similarity: float


class Image(BaseModel):
    """One image. `category`, `color` and `encoder` are null until it has been analyzed.

    `library` is what people call the library; `library_id` never changes, and no other has it.
    """

    id: str
    library: str
    library_id: str
    state: Literal["waiting", "ready", "failed", "held"]
    error: str | None
    filename: str
    media_type: str
    bytes: int
    width: int
    height: int
    sha256: str
    caption: str
    tags: list[str]
    created_at: str
    taken_at: str | None
    encoder: str | None
    category: Category | None
    keywords: list[Keyword]
    color: Color | None


class FoundCopy(BaseModel):
    """An image that was found beside another one, and what the two are to each other."""

    id: str
    verdict: Literal["identical", "re-encoded", "edited", "same-scene"]


class UploadedImage(Image):
    """An image that was just sent; `existing` says that the very same bytes were there before.

    `copies` were found beside it, the closest first; null where it has not been compared yet. `warnings` are sentences
    of banks that let it in; there are none before it is analyzed.
    """

    existing: bool
    copies: list[FoundCopy] | None
    warnings: list[str]


class ImageList(BaseModel):
    """A page of images, newest first; `next` is the cursor of the next page, or null at the end."""

    images: list[Image]
    next: str | None


class ImagePatch(BaseModel):
    """What can be changed of an image; what is left out stays."""

    caption: str | None = None
    tags: Annotated[list[str], Field(max_length=LONGEST_LIST)] | None = None


class WordsFound(BaseModel):
    """Words of the question, as they were typed, by where the image has them.

    `name` is the name of any file that the image came from; `keywords` are the words that the encoder read off it.
    What is empty is left out.
    """

    caption: list[str] = []
    tags: list[str] = []
    name: list[str] = []
    keywords: list[str] = []


class Why(BaseModel):
    """What of the question an image answers; what has no part in it is left out.

    `identical`: it is the very picture that was sent. `near_duplicate`: it is nearly the same as the only picture of
    the question; in how many of 256 bits their PDQ hashes differ, 0 to 31, also turned or mirrored. `content`: the
    cosine of the image and the pictures and texts of the question. `terms`: that to each of several, in the order of
    `terms`, `text`, `image_id`, and what was sent or fetched; null for a text that the encoder does not know. `words`
    and `matched`: the words of its texts that the image has, by place and in their order. `colors`: those of the filter
    that it has; where colors alone were asked, with the `share` that was asked and the swatches that were `found`, and
    `distance` says how far its palette is from them, in units of CIEDE2000.
    """

    identical: bool | None = None
    near_duplicate: int | None = None
    content: float | None = None
    terms: list[float | None] = []
    words: WordsFound | None = None
    matched: list[str] = []
    colors: list[dict[str, Any]] = []
    distance: float | None = None


class SearchHit(BaseModel):
    """`similarity` is the cosine, -1 to 1, higher is closer; it and `strength` are null in a plain list.

    `similarity` is null too where the encoder understood nothing of the question and only its words were looked for.
    """

    image: Image
    similarity: float | None
    strength: Literal["strong", "possible", "weak"] | None
    why: Why


class SearchAnswer(BaseModel):
    """Results, best first. `ignored` are words of the text that the encoder does not know.

    `by_words_alone`: it knows none of them, so that only images are here that have the words; where there are none
    either, `reason` says in a sentence what is the matter with the text.
    """

    results: list[SearchHit]
    verdict: Literal["match", "weak", "none"]
    encoder: str
    took_ms: float
    has_more: bool
    ignored: list[str]
    by_words_alone: bool
    reason: str | None


class Store(BaseModel):
    name: str
    address: str
    healthy: bool
    sentence: str


class Encoder(BaseModel):
    name: str
    fingerprint: str
    dimension: int


class EncoderChange(BaseModel):
    """An encoder that is being filled beside the present one: the `share` that is done, 0 to 1; `resting` if paused.

    How many images that is, in all libraries, is told to who looks after the server, and null for others.
    """

    name: str
    share: float
    done: int | None
    total: int | None
    resting: bool


class Status(BaseModel):
    """`states` counts images by state; `queue_depth` is how many wait, null while the database is down.

    `encoder_change` is null unless the encoder is being changed.
    """

    version: str
    encoder: Encoder
    states: dict[str, int]
    queue_depth: int | None
    encoder_change: EncoderChange | None
    stores: list[Store]


class ErrorBody(BaseModel):
    code: str
    message: str


class Error(BaseModel):
    """Every error: a code for programs, a sentence for people."""

    error: ErrorBody
