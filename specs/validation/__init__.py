"""From a tree to a checked storyboard: defaults are written into each shot, the models validate it, their errors
are put into the words of the language, and what spans several shots is checked. `reading` calls it.
"""
