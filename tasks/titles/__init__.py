"""Words for the film's picture: titles, lower thirds, captions, subtitles, cards and credits, in the language's styles.

Words, a lettering, a size and fonts come in; transparent pictures with their places go out, and the frames of cards.
`lettering` is what a style looks like, `typeset` sets text, `words` draws what lies over the picture, `cards` and
`credits` whole frames. Imports `media` and `specs`.
"""
