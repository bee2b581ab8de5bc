"""The article that a description lacks, and everything that gets none."""

from __future__ import annotations

import pytest

from storyreel.tasks.request.article import with_article


@pytest.mark.parametrize(
    "description",
    [
        "a girl of nine, red rubber boots",
        "an old man",
        "a woman in her sixties, long grey braid",
        "a young bicycle courier, orange helmet",
        "a brass lamp room of a lighthouse at night",
        "a tidal causeway at dusk",
        "a fisherman, yellow coat",
        "a unique robot",
        "a used car",
        "a one-eyed pirate",
        "a European king",
        "a university teacher who smiles",
        "an unusual house",
        "an honest clerk",
        "an 8-year-old girl",
        "an 11-year-old boy",
        "a 9-year-old girl",
        "an umbrella maker",
    ],
)
def test_a_description_reads_the_same_with_its_article_and_without(description: str) -> None:
    bare = description.partition(" ")[2]
    assert with_article(bare) == description
    assert with_article(description) == description


@pytest.mark.parametrize(
    "description",
    [
        "",
        "the dispatcher, a dry voice on the radio",
        "steep streets and terracotta roofs above a harbour",
        "man and woman",
        "two men in coats",
        "3 girl scouts",
        "Mira's dog",
        "her brother",
        "tall, thin",
        "grey hair",
        "in her sixties",
        "older, grey",
        "women",
        "herd of elephants",
        "Captain Nemo",
        "Grandmother",
        "{tom}'s brother",
        "fille de neuf ans",
        "port de pêche",
        "Mädchen von neun Jahren",
        "九岁的女孩",
        "(voice only)",
    ],
)
def test_what_needs_no_article_or_is_not_understood_stays_as_it_is_written(description: str) -> None:
    assert with_article(description) == description
