"""Storyboards at addresses: packed into a bucket with the files that they name, and fetched to this host.

A pack is content-addressed: its version is the digest of its content, and its files lie in the bucket by their own
digests. Its index is written last, so a pack is complete or absent, and every byte can be checked. Files outside of
the storyboard's folder are packed too; see `storyreel.specs.sources.packed_path`.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from pydantic import Field, StringConstraints, ValidationError

from storyreel.specs.frozen import Frozen
from storyreel.specs.language.finishing.subtitles import translations_name
from storyreel.specs.problems.phrases import reason, shown
from storyreel.specs.problems.problem import Position, Problem, StoryboardError, problems_at
from storyreel.specs.reading import LARGEST, NamedFile, named_files, read, read_title, require_files_of
from storyreel.specs.secrets import hidden
from storyreel.specs.sources import NOT_BESIDE, leads_away, packed_path
from storyreel.specs.storyboard import Storyboard, is_remote
from storyreel.specs.translations.file import translations_file
from storyreel.specs.validation.check import local_sources
from storyreel.tasks.storage.bucket import Bucket, BucketError, FileTooLarge, without_password
from storyreel.tasks.storage.digests import file_digest
from storyreel.tasks.storage.files import folder_beside, place_folder, write_whole

if TYPE_CHECKING:
    from storyreel.tasks.home import Home
    from storyreel.tasks.providers.http.web_folder import WebFolder

Item = TypeVar("Item")
Result = TypeVar("Result")

_NO_VARS: Mapping[str, str] = MappingProxyType({})
_WEB = ("http", "https")
_DRIVE = re.compile(r"^[A-Za-z]:(?=/)")
_LARGEST_INDEX = 32 << 20
"""Bytes."""
_LARGEST_FILE = 2_000_000_000
"""Bytes of any file of a pack, such as music of two hours."""
_THREADS = 8
"""Files that are read or transferred at the same time."""
_ADDRESS = re.compile(r"(?P<bucket>.+)/packs/(?P<version>[0-9a-f]{64})\.json")

_Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Name = Annotated[str, StringConstraints(pattern=r"^[^./\\:\x00][^/\\:\x00]{0,199}$")]


class PackError(StoryboardError):
    """A storyboard cannot be fetched or packed, or a pack is not what its address says."""


class Pack(Frozen):
    """A storyboard in a bucket, with all local files that it names."""

    address: str
    """Its address, which a run has as its parameter in place of the storyboard's path."""
    version: str
    title: str
    files: int
    """Number of files in it, with the storyboard."""
    sent: int
    """Bytes that were uploaded; files in the bucket already are not sent again."""


class _Index(Frozen):
    pack: Literal[1] = 1
    """The version of this format."""
    title: str
    storyboard: _Name
    """The storyboard's file name."""
    text: _Digest
    """SHA-256 of the storyboard's file, in hex."""
    files: dict[str, _Digest] = Field(max_length=100_000)
    """Digests of the local files, by the names that the storyboard uses."""

    @property
    def version(self) -> str:
        content = ["storyboard", 1, self.text, sorted(self.files.items())]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def placed(self, folder: Path) -> dict[Path, str]:
        return {folder / self.storyboard: self.text} | {
            folder / packed_path(name): digest for name, digest in self.files.items()
        }


def is_pack(address: str) -> bool:
    """Whether an address is that of a pack."""
    return _ADDRESS.fullmatch(address) is not None


def without_version(address: str, storyboard: str) -> str:
    """The common part of the addresses of all versions of a pack; `storyboard` is the name of the file in it."""
    found = _ADDRESS.fullmatch(address)
    assert found
    return f"{without_password(found['bucket'])}/packs/{storyboard}"


def version_of(film: Storyboard) -> str:
    """SHA-256, in hex, over a storyboard's file and all local files that it names. Raises StoryboardError."""
    return _index(film).version


def pack_address(bucket: str, version: str) -> str:
    """The address of the pack of a version in a bucket. Raises BucketError."""
    return Bucket(bucket).address(_index_name(version))


def pack(file: Path, bucket: str, set_vars: Mapping[str, str] = _NO_VARS) -> Pack:
    """Store a storyboard and its local files in a bucket, `s3://films`. Raises StoryboardError and BucketError."""
    film, store = read(file, set_vars), Bucket(bucket)
    index = _index(film)
    beside = _files_beside(film)
    sources = {index.text: _file(film)} | {digest: beside[name] for name, digest in index.files.items()}
    sent = sum(_in_threads(lambda item: _upload(film, store, *item), sources.items()))
    name = _index_name(index.version)
    store.write(name, (index.model_dump_json(indent=1) + "\n").encode())
    return Pack(
        address=store.address(name), version=index.version, title=film.title, files=1 + len(index.files), sent=sent
    )


def fetch_storyboard(storyboard: str, home: Home, set_vars: Mapping[str, str] = _NO_VARS) -> Path:
    """The path of a storyboard on this host: for an address that of a copy in `home`, for a path the path itself.

    A pack is downloaded once, and checked by its digests each time. From any other address the storyboard is downloaded
    each time, with the local files beside it that it names when `set_vars` are set.
    Raises StoryboardError, and BucketError if the file system cannot be used.
    """
    if not is_remote(storyboard):
        return Path(storyboard)
    if _leads_away(storyboard):
        hint = "write the address itself, without `..` and `::`"
        raise PackError.in_file(hidden(storyboard), "the address leads to another one", hint)
    if found := _ADDRESS.fullmatch(storyboard):
        return _fetch_pack(storyboard, found["version"], _folder(found["bucket"]), home.packs)
    return _fetch_file(storyboard, home.packs, set_vars)


def _leads_away(address: str) -> bool:
    """Whether an address of a storyboard leads to another place than is written, as with `..`."""
    scheme, _, rest = address.partition("?")[0].partition("://")
    # A host of digits may hold `::`, and a web address is never given to fsspec.
    path = rest.partition("/")[2] if scheme.lower() in _WEB else rest.lstrip("/")
    return leads_away(_DRIVE.sub("", path))


def read_film(
    storyboard: Path | str,
    set_vars: Mapping[str, str] = _NO_VARS,
    home: Home | None = None,
    *,
    confined: bool = False,
    own_vars: Mapping[str, str] | None = None,
) -> Storyboard:
    """Read a storyboard by its path or address; a remote one is fetched. Raises StoryboardError and BucketError.

    One from an address, or with `confined`, may name no files outside of its folder. With `own_vars` it may name there
    only those that it names with these values for its variables.
    """
    if not is_remote(str(storyboard)):
        film = read(Path(storyboard), set_vars, confined=confined)
        if own_vars is not None and own_vars != set_vars:
            require_files_of(film, Path(storyboard), own_vars)
        return film
    from storyreel.tasks.home import Home

    file = fetch_storyboard(str(storyboard), home or Home.of(), set_vars)
    # The address of a pack is that of its index, not of its storyboard.
    with nullcontext() if is_pack(str(storyboard)) else problems_at(hidden(str(storyboard)), file):
        return read(file, set_vars, confined=True)


def title_of(storyboard: str, set_vars: Mapping[str, str], home: Home) -> str:
    """The title of a film, by its path or address; empty if it cannot be read."""
    with suppress(StoryboardError, BucketError):
        return read_title(fetch_storyboard(storyboard, home, set_vars), set_vars)
    return ""


def _index(film: Storyboard) -> _Index:
    files = _files_beside(film)
    text, *digests = _in_threads(lambda file: _digest(film, file), [_file(film), *files.values()])
    return _Index(
        title=film.title, storyboard=_packed_name(film), text=text, files=dict(zip(files, digests, strict=True))
    )


def _files_beside(film: Storyboard) -> dict[str, Path]:
    """The local files of a film besides its storyboard by their names in a pack, sorted: those that it names, and its
    translations."""
    files = {name: Path(film.resolve(name)) for name in local_sources(film)}
    translations = translations_file(film)
    if film.languages and translations.is_file():
        files[translations_name(_packed_name(film))] = translations
    return dict(sorted(files.items()))


def _packed_name(film: Storyboard) -> str:
    return _file(film).name.lstrip(".").replace(":", "-").replace("\\", "-") or "storyboard.yaml"


def _file(film: Storyboard) -> Path:
    return film.folder / Path(film.where().file).name


def _digest(film: Storyboard, file: Path) -> str:
    try:
        return file_digest(file)
    except OSError as error:
        raise PackError([Problem(film.where(), f"`{file}` cannot be read: {reason(error)}")]) from error


def _upload(film: Storyboard, store: Bucket, digest: str, file: Path) -> int:
    """Store a file by its digest unless it is stored already, and return the bytes that were sent."""
    name, size = _blob(digest), file.stat().st_size
    if store.size(name) == size:
        return 0
    store.put(file, name)
    if _digest(film, file) != digest:
        store.remove(name)
        raise PackError([Problem(film.where(), f"`{file}` changed while it was packed", "pack it again")])
    return size


def _index_name(version: str) -> str:
    return f"packs/{version}.json"


def _blob(digest: str) -> str:
    return f"packs/files/{digest[:2]}/{digest}"


def _fetch_pack(address: str, version: str, store: Bucket | WebFolder, packs: Path) -> Path:
    """The storyboard of a pack, which is downloaded unless it is complete on this host."""
    into = packs / version
    if (local := _local_index(into)) and local.version == version and not _damaged_file(local, into):
        return into / local.storyboard
    index = _read_index(address, version, store)

    def fetch(folder: Path) -> None:
        def one(item: tuple[Path, str]) -> None:
            file, digest = item
            file.parent.mkdir(parents=True, exist_ok=True)
            try:
                found = store.get(_blob(digest), file, LARGEST if digest == index.text else _LARGEST_FILE)
            except FileTooLarge as error:
                what = f"`{shown(file.relative_to(folder))}` is not what was packed: {error.message}"
                raise _damaged(address, what) from error
            if not found:
                raise _damaged(address, f"`{shown(file.relative_to(folder))}` is missing")

        try:
            _in_threads(one, index.placed(folder).items())
        except (OSError, ValueError) as error:  # For example, a name that this file system does not allow.
            raise _damaged(address, f"a file cannot be written: {reason(error)}") from error

    return _place(address, index, into, fetch)


def _read_index(address: str, version: str, store: Bucket | WebFolder) -> _Index:
    content = store.read(_index_name(version), _LARGEST_INDEX)
    if content is None:
        raise PackError.in_file(address, "there is no such pack", "deploy the film again")
    try:
        index = _Index.model_validate_json(content)
    except ValidationError as error:
        raise _damaged(address, f"its index cannot be read: {shown(error.errors()[0]['msg'])}") from error
    if index.version != version:
        raise _damaged(address, "its index is of another version")
    return index


def _fetch_file(address: str, packs: Path, set_vars: Mapping[str, str]) -> Path:
    """A storyboard from an address, with the local files beside it that it names."""
    bare, query, more = address.partition("?")
    base, _, name = bare.rpartition("/")
    store, label = _folder(base), hidden(address)
    packs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetched-", dir=packs) as workshop:
        folder = Path(workshop) / "film"
        folder.mkdir()
        file = folder / (name.lstrip(".") or "storyboard.yaml")
        start = Position(label, 1, 1)
        _get(store, name + query + more, file, LARGEST, Problem(start, "there is no such file"))

        def one(item: tuple[str, NamedFile]) -> str | None:
            source, named = item
            place, where = folder / source, named.position
            if isinstance(store, Bucket) and not store.is_inside(source):
                raise PackError([Problem(where, f"`{shown(source)}` is not beside the storyboard", NOT_BESIDE)])
            hint = "paths are relative to the storyboard's folder"
            missing = Problem(where, f"`{shown(source)}` does not exist", hint)
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                # Object stores do not know `.` and empty parts.
                is_there = _get(store, posixpath.normpath(source), place, named.most_bytes, missing, named.is_optional)
                return file_digest(place) if is_there else None
            except (OSError, ValueError) as error:
                raise PackError([Problem(where, f"`{shown(source)}` cannot be stored: {reason(error)}")]) from error

        with problems_at(label, file):
            sources = named_files(file, set_vars, label)
        digests = zip(sources, _in_threads(one, sources.items()), strict=True)
        files = {source: digest for source, digest in digests if digest}
        index = _Index(title="", storyboard=file.name, text=file_digest(file), files=files)
        return _place(address, index, packs / index.version, folder.rename)


def _get(
    store: Bucket | WebFolder, name: str, into: Path, most: int, missing: Problem, is_optional: bool = False
) -> bool:
    """Bring a file. False if it does not exist and is optional.

    Raises PackError with `missing` if it does not exist, or if it is larger than `most` bytes.
    """
    try:
        is_there = store.get(name, into, most)
        if not is_there and not is_optional:
            raise PackError([missing])
        return is_there
    except FileTooLarge as error:
        what = f"`{shown(into.name)}` is too large: {error.message}"
        raise PackError([Problem(missing.position, what, "make it smaller")]) from error


def _folder(base: str) -> Bucket | WebFolder:
    """The folder that an address is in."""
    if base.partition("://")[0].lower() in _WEB:
        # Imported late: most storyboards are files.
        from storyreel.tasks.providers.http.web_folder import WebFolder

        return WebFolder(base)
    return Bucket(base)


def _place(address: str, index: _Index, into: Path, fetch: Callable[[Path], object]) -> Path:
    """Let `fetch` create the folder of a pack, check it, rename it to `into`, and return the storyboard's path.

    The index is written last, beside the folder. Other processes may do the same at the same time.
    """
    into.parent.mkdir(parents=True, exist_ok=True)
    with folder_beside(into) as workshop:
        fresh = workshop / "fresh"
        fetch(fresh)
        if damaged := _damaged_file(index, fresh):
            raise _damaged(address, f"`{shown(damaged.relative_to(fresh))}` is not what was packed")
        place_folder(fresh, into, lambda: not _damaged_file(index, into))
    write_whole(_index_path(into), index.model_dump_json())
    return into / index.storyboard


def _index_path(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.json")


def _local_index(folder: Path) -> _Index | None:
    try:
        return _Index.model_validate_json(_index_path(folder).read_bytes())
    except (OSError, ValidationError):
        return None


def _damaged_file(index: _Index, folder: Path) -> Path | None:
    """The first file in a folder that is missing or differs from the index; None if there is none."""
    for file, digest in index.placed(folder).items():
        try:
            if file_digest(file) != digest:
                return file
        except OSError:
            return file
    return None


def _damaged(address: str, what: str) -> PackError:
    return PackError.in_file(address, f"the pack is damaged: {what}", "deploy the film again")


def _in_threads(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Results of `work` for each item, in threads. Raises the first failure after all threads have ended."""
    # Imported late: a storyboard that is a file is read without threads.
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(work, items))
