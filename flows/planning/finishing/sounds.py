"""The words of a storyboard on the sound of the whole film, for saved plans: they change the film, and no take."""

from __future__ import annotations

from pathlib import Path

from storyreel.specs.frozen import Frozen
from storyreel.specs.language.sound import Ambience, FilmLevel, Mix, Music
from storyreel.specs.storyboard import Storyboard
from storyreel.tasks.storage.digests import file_digest


class PlannedSound(Frozen):
    """Music, ambience, the mix of shots and the level of a film, as its storyboard has them."""

    music: tuple[tuple[Path, Music], ...] = ()
    """The files under the whole film, each with what is said of it."""
    ambience: tuple[tuple[str, Path, Ambience], ...] = ()
    """The same of the sounds of places, each with the name of its scene; empty in a film without scenes."""
    mixes: tuple[tuple[str, Mix], ...] = ()
    """The levels of shots that have one, by their slates."""
    level: FilmLevel | None = None

    @classmethod
    def of(cls, film: Storyboard) -> PlannedSound:
        """The words of a storyboard."""
        plain = Mix()
        places = (("", film.ambience), *((scene.scene, scene.ambience) for scene in film.scenes))
        return cls.model_construct(
            music=tuple((Path(film.resolve(each.file)), each) for each in film.music),
            ambience=tuple((scene, Path(film.resolve(each.file)), each) for scene, each in places if each),
            mixes=tuple((shot.shot, shot.mix) for shot in film.all_shots if shot.mix != plain),
            level=film.sound,
        )

    def facts(self) -> dict[str, str]:
        """The facts of its parts, by name; an empty text for a part that it does not have. Reads the files."""
        return {
            "music": ", ".join(f"{file_digest(file)} {_said(each)}" for file, each in self.music),
            "ambience": ", ".join(f"{scene} {file_digest(file)} {_said(each)}" for scene, file, each in self.ambience),
            "mix": ", ".join(f"{slate} {_said(mix)}" for slate, mix in self.mixes),
            "level": _said(self.level) if self.level else "",
        }


def _said(heard: Music | Ambience | Mix | FilmLevel) -> str:
    """The words on a sound, without its file; on music without an in point as before there were any."""
    later = {"from_"} if isinstance(heard, Music) and heard.from_ is None else set()
    return heard.model_dump_json(exclude={"file", *later})
