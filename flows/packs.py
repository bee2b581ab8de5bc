"""A storyboard on its way to another host, with the files that it names.

A pack is content-addressed: its version is the digest of all that is in it, its files lie in the bucket by their own
digests, and a small index comes last, so that a pack is complete or absent and whoever has its address can hold every
byte against it. What a storyboard names outside of its folder travels too; see `storyreel.specs.sources.beside`.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from pydantic import Field, StringConstraints, ValidationError

from storyreel.specs.frozen import Frozen
from storyreel.specs.problems.phrases import reason, shown
from storyreel.specs.problems.problem import Position, Problem, StoryboardError
from storyreel.specs.reading import LARGEST, local_files, read
from storyreel.specs.sources import packed_path
from storyreel.specs.storyboard import Storyboard, is_remote
from storyreel.specs.validation.check import local_sources
from storyreel.tasks.bucket import Bucket
from storyreel.tasks.clips import file_digest
from storyreel.tasks.files import folder_beside, place_folder, write_whole

if TYPE_CHECKING:
    from storyreel.tasks.home import Home

Item = TypeVar("Item")
Result = TypeVar("Result")

_NOTHING_SET: Mapping[str, str] = MappingProxyType({})
_LARGEST_INDEX = 32 << 20
_AT_ONCE = 8
"""Files under way at one time."""
_ADDRESS = re.compile(r"(?P<vault>.+)/packs/(?P<version>[0-9a-f]{64})\.json")

_Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Name = Annotated[str, StringConstraints(pattern=r"^[^./\\:\x00][^/\\:\x00]{0,199}$")]


class NotBrought(StoryboardError):
    """A storyboard could not be brought here, or is not what its address says."""


class Pack(Frozen):
    """A storyboard in a bucket, with all local files that it names."""

    address: str
    """What a run is given in the place of the storyboard's path."""
    version: str
    title: str
    files: int
    """Files in it, the storyboard among them."""
    sent: int
    """Bytes that were not there yet."""


class _Index(Frozen):
    """What is in a pack."""

    pack: Literal[1] = 1
    """The version of this form."""
    title: str
    storyboard: _Name
    """The storyboard's file name."""
    text: _Digest
    """SHA-256 of the storyboard's file, in hex."""
    files: dict[str, _Digest] = Field(max_length=100_000)
    """The local files by what the storyboard calls them."""

    @property
    def version(self) -> str:
        return _version(self.text, self.files)

    def placed(self, folder: Path) -> dict[Path, str]:
        """Every file and its digest, where the pack lies in a folder."""
        return {folder / self.storyboard: self.text} | {
            folder / packed_path(name): digest for name, digest in self.files.items()
        }


def version_of(film: Storyboard) -> str:
    """SHA-256, in hex, over a storyboard's file and every local file that it names: equal versions make equal films.

    Where the film lies is no part of it, nor is what was set in the place of its variables, unless that names files.
    Raises StoryboardError when a file is gone since the film was read.
    """
    return _index(film).version


def pack(file: Path, bucket: str, sets: Mapping[str, str] = _NOTHING_SET) -> Pack:
    """Put a storyboard and its local files into a bucket, `s3://films/storyreel`; what is there is not sent again.

    Raises StoryboardError, and BucketError when the bucket cannot be used.
    """
    film, vault = read(file, sets), Bucket(bucket)
    index = _index(film)
    sources = {index.text: _file(film)} | {digest: _local(film, name) for name, digest in index.files.items()}
    sent = sum(_at_once(lambda item: _sent(film, vault, *item), sources.items()))
    name = f"packs/{index.version}.json"
    vault.write(name, (index.model_dump_json(indent=1) + "\n").encode())
    return Pack(
        address=vault.address(name), version=index.version, title=film.title, files=1 + len(index.files), sent=sent
    )


def bring(storyboard: str, home: Home, sets: Mapping[str, str] = _NOTHING_SET) -> Path:
    """A storyboard's file on this host: of a path that file itself, of a pack or of any other address a copy in `home`.

    A pack is fetched once and held against its digests each time. Of another address the file is fetched each time,
    with the local files that it names (with `sets` in the place of its variables) from beside it.
    Raises StoryboardError, and BucketError when the file system cannot be used.
    """
    if not is_remote(storyboard):
        return Path(storyboard)
    if found := _ADDRESS.fullmatch(storyboard):
        return _unpacked(storyboard, found["version"], Bucket(found["vault"]), home.packs)
    return _fetched(storyboard, home.packs, sets)


def read_film(storyboard: Path | str, sets: Mapping[str, str] = _NOTHING_SET, home: Home | None = None) -> Storyboard:
    """Read a storyboard by its path, its address or a pack's address; a remote one is fetched into `home` first.

    Raises StoryboardError, and BucketError when the file system cannot be used.
    """
    if not is_remote(str(storyboard)):
        return read(Path(storyboard), sets)
    from storyreel.tasks.home import Home

    return read(bring(str(storyboard), home or Home.of(), sets), sets)


def _version(text: str, files: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(["storyboard", 1, text, sorted(files.items())]).encode()).hexdigest()


def _index(film: Storyboard) -> _Index:
    names = local_sources(film)
    text, *digests = _at_once(lambda file: _digest(film, file), [_file(film), *(_local(film, name) for name in names)])
    file = _file(film).name.lstrip(".").replace(":", "-").replace("\\", "-") or "storyboard.yaml"
    return _Index(title=film.title, storyboard=file, text=text, files=dict(zip(names, digests, strict=True)))


def _file(film: Storyboard) -> Path:
    """The storyboard's own file, wherever the process is by now."""
    return film.folder / Path(film.where().file).name


def _local(film: Storyboard, name: str) -> Path:
    return Path(film.resolve(name))


def _digest(film: Storyboard, file: Path) -> str:
    try:
        return file_digest(file)
    except OSError as error:
        raise NotBrought([Problem(film.where(), f"`{file}` cannot be read: {reason(error)}")]) from error


def _sent(film: Storyboard, vault: Bucket, digest: str, file: Path) -> int:
    """Bring a file into a bucket, by its digest; gives the bytes that went there."""
    name, size = _blob(digest), file.stat().st_size
    if vault.size(name) == size:
        return 0
    vault.put(file, name)
    if _digest(film, file) != digest:
        vault.remove(name)
        raise NotBrought([Problem(film.where(), f"`{file}` has changed while it was packed", "pack it again")])
    return size


def _blob(digest: str) -> str:
    return f"packs/files/{digest[:2]}/{digest}"


def _unpacked(address: str, version: str, vault: Bucket, packs: Path) -> Path:
    """The storyboard of a pack, which is fetched where it is not here, or not whole."""
    into = packs / version
    if (here := _known(into)) and here.version == version and not _unlike(here, into):
        return into / here.storyboard
    index = _read_index(address, version, vault)

    def fetch(folder: Path) -> None:
        def one(item: tuple[Path, str]) -> None:
            file, digest = item
            file.parent.mkdir(parents=True, exist_ok=True)
            if not vault.get(_blob(digest), file):
                raise _damaged(address, f"`{shown(file.relative_to(folder))}` is missing in it")

        try:
            _at_once(one, index.placed(folder).items())
        except (OSError, ValueError) as error:  # a name that no file here can have
            raise _damaged(address, f"a file of it cannot be written: {reason(error)}") from error

    return _settled(address, index, into, fetch)


def _read_index(address: str, version: str, vault: Bucket) -> _Index:
    content = vault.read(f"packs/{version}.json", _LARGEST_INDEX)
    if content is None:
        raise NotBrought.in_file(address, "there is no such pack", "deploy the film again")
    try:
        index = _Index.model_validate_json(content)
    except ValidationError as error:
        raise _damaged(address, f"its index is none: {shown(error.errors()[0]['msg'])}") from error
    if index.version != version:
        raise _damaged(address, "what its index lists is another version")
    return index


def _fetched(address: str, packs: Path, sets: Mapping[str, str]) -> Path:
    """A storyboard from an address, and from beside it the local files that it names."""
    bare, query, more = address.partition("?")
    base, _, name = bare.rpartition("/")
    packs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".brought-", dir=packs) as workshop:
        folder = Path(workshop) / "film"
        folder.mkdir()
        file = folder / (name.lstrip(".") or "storyboard.yaml")
        _get(address, base, name + query + more, file, "there is no such file", LARGEST)
        sources = [source for source in local_files(file, sets) if _travels(source)]

        def one(source: str) -> str:
            place = folder / packed_path(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            _get(address, *_beside_address(base, source), place, f"`{shown(source)}` is not there")
            return file_digest(place)

        digests = _at_once(one, sources)
        files = dict(zip(sources, digests, strict=True))
        index = _Index(title="", storyboard=file.name, text=file_digest(file), files=files)
        return _settled(address, index, packs / index.version, folder.rename)


def _get(address: str, base: str, name: str, into: Path, missing: str, most: int | None = None) -> None:
    vault = Bucket(base)
    where = Position(address, 1, 1)
    if most and (vault.size(name) or 0) > most:
        raise NotBrought([Problem(where, f"the file has more than {most // 10**6} MB", "split the film")])
    if not vault.get(name, into):
        raise NotBrought([Problem(where, missing, "a path is taken from the storyboard's folder")])


def _travels(source: str) -> bool:
    """Whether a source is beside the storyboard's address; an absolute path is one of this host's."""
    return not source.startswith(("/", "~"))


def _beside_address(base: str, source: str) -> tuple[str, str]:
    """The folder and the name of a file beside an address. File systems of buckets do not know `..`."""
    scheme, mark, path = base.partition("://")
    folder, _, name = posixpath.normpath(f"{path}/{source}").rpartition("/")
    return scheme + mark + folder, name


def _settled(address: str, index: _Index, into: Path, fetch: Callable[[Path], object]) -> Path:
    """The storyboard of a pack in its folder, which appears complete, whoever else brings the same.

    `fetch` makes the folder that it is given. The record comes last, beside the folder.
    """
    into.parent.mkdir(parents=True, exist_ok=True)
    with folder_beside(into) as workshop:
        fresh = workshop / "fresh"
        fetch(fresh)
        if unlike := _unlike(index, fresh):
            raise _damaged(address, f"`{shown(unlike.relative_to(fresh))}` is not what was packed")
        place_folder(fresh, into, lambda: not _unlike(index, into))
    write_whole(_record(into), index.model_dump_json())
    return into / index.storyboard


def _record(folder: Path) -> Path:
    """The index of a pack that was brought here, beside its folder."""
    return folder.with_name(f"{folder.name}.json")


def _known(folder: Path) -> _Index | None:
    try:
        return _Index.model_validate_json(_record(folder).read_bytes())
    except (OSError, ValidationError):
        return None


def _unlike(index: _Index, folder: Path) -> Path | None:
    """A file that is not in a folder as a pack has it; None when all are."""
    for file, digest in index.placed(folder).items():
        try:
            if file_digest(file) != digest:
                return file
        except OSError:
            return file
    return None


def _damaged(address: str, what: str) -> NotBrought:
    return NotBrought.in_file(address, f"the pack is damaged: {what}", "deploy the film again")


def _at_once(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Do the same to each, several at a time; the first failure is told when none is under way any more."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(work, items))
