"""The indefinite article of an English description that was written without one: `girl of nine`, `old brass lamp`.

An article is added only where the noun is known to be a singular that can be counted. Everything else, other languages
and plurals among it, stays as its author wrote it.
"""

from __future__ import annotations

import re
from functools import lru_cache

_PEOPLE = """
    actor actress adult android angel apprentice archer artist astronaut athlete aunt author baby baker ballerina barber
    bartender beggar biker blacksmith boxer boy bride brother builder butcher butler captain carpenter chef child clerk
    clown coach cook couple courier cousin cowboy creature cyclist dancer daughter detective diver doctor driver
    dispatcher dwarf elder elf engineer explorer fairy farmer father fighter figure fisher friend gardener general
    ghost giant girl grandfather grandmother groom guard guide guitarist hacker hero heroine host hostess hunter
    husband inventor janitor journalist judge keeper kid king knight lady lawyer leader librarian lover magician maid
    man mason mechanic merchant miner monk monster mother musician neighbour neighbor nephew niece nun nurse officer
    orphan painter passenger patient person photographer pianist pilot pirate player poet postman priest prince
    princess prisoner professor queen reporter rider robot runner sailor scientist scout sculptor secretary servant
    shepherd shopkeeper singer sister skater soldier son spy stranger student surfer surgeon swimmer tailor teacher
    teenager thief toddler tourist trader traveller traveler twin uncle vendor villain violinist wanderer warrior
    widow widower wife witch wizard woman worker writer youth
"""
_ANIMALS = """
    animal bear bee bird bull butterfly calf camel cat chicken cow crow deer dog dolphin donkey dragon duck eagle
    elephant fish fox frog goat goose gull hare hen horse kitten lamb lion monkey mouse mule owl parrot pig pony puppy
    rabbit raven rooster seagull seal shark snake spider swan tiger turtle whale wolf
"""
_PLACES = """
    airport alley apartment arena attic avenue bakery balcony ballroom bar barn basement bathroom bay beach bedroom
    bridge building bus cabin cafe café camp canal canteen car castle cathedral causeway cave cellar chapel church city
    classroom clearing cliff coast cockpit corner corridor cottage courtroom courtyard crossroads deck desert diner dock
    dormitory elevator factory farm farmhouse ferry field forest fortress fountain gallery garage garden gate
    glacier greenhouse gym hall hallway hangar harbour harbor helicopter hill hospital hotel house hut inn island jetty
    jungle kitchen laboratory lake lane library lighthouse lobby lounge mansion market meadow mill monastery mountain
    museum nursery office orchard palace park passage path pier planet plaza pond pool port prison promenade pub
    quarry quay railway ranch restaurant river road roof rooftop room ruin school shack shed ship shop shore spaceship
    square stable stadium stage staircase station store street studio suburb subway submarine supermarket swamp tavern
    temple tent terrace theatre theater tower town track train tram tunnel valley van vault veranda village villa
    warehouse waterfall windmill workshop yard
"""
_NOUNS = frozenset(f"{_PEOPLE} {_ANIMALS} {_PLACES}".split())
_COMPOUND = "(man|woman|boy|girl|keeper|father|mother|maker|room|house|yard)$"
"""Ends of nouns that are written as one word: fisherman, schoolgirl, boatyard."""
_DETERMINERS = """
    a an the this that these those my your his her its our their one two three four five six seven eight nine ten some
    any no each every another both all several many few
"""
_WITH_DETERMINER = frozenset(_DETERMINERS.split())
_LINKS = """
    of in with on at from by for to near under over above below behind beside between before after against along among
    around beyond inside outside through who whom whose that which where when as wearing holding carrying dressed
    standing sitting looking aged
"""
_AFTER_THE_NOUN = frozenset(_LINKS.split())
_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
_AN = re.compile(r"(?!uni(?![nm])|u[bgkrst]?[aeiou]|eu|ewe|one\b|once)[aeiou]|hour|honest|heir|honou?r|8|1[18]\b")
"""Beginnings of words that are spoken with a vowel."""


@lru_cache(1024)
def with_article(description: str) -> str:
    """The description with `a` or `an` before it, if it is a noun that lacks one."""
    words = _phrase(description)
    if not words or words[0] in _WITH_DETERMINER or words[0].isdigit():
        return description
    if any(word in ("and", "or") or word.endswith(("'s", "’s")) for word in words):
        return description
    noun = words[-1]
    if noun not in _NOUNS and not re.search(_COMPOUND, noun):
        return description
    return f"{'an' if _AN.match(words[0]) else 'a'} {description}"


def _phrase(description: str) -> list[str]:
    """The first words, in small letters, of which the last is the noun: those before a comma or a preposition.

    None if it is written like a name, with a capital.
    """
    words: list[str] = []
    end = 0
    for found in _WORD.finditer(description):
        if description[end : found.start()].strip() or found[0].lower() in _AFTER_THE_NOUN:
            break
        words.append(found[0])
        end = found.end()
    return [] if not words or words[-1][0].isupper() else [word.lower() for word in words]
