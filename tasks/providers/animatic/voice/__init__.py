"""The guide voice: eSpeak NG, if it is on this machine, speaks lines that nobody has recorded. Else there are tones.

`engine` finds it, `speak` writes lines as sound files, `dialogue` those of a shot, `child` is the program
that it runs in. Imports `media`.
"""
