"""Problems of a file with their positions, the error that carries them, and phrases that messages share. Every room may
import it; it imports `specs.errors` and `specs.foreign_text` only.
"""
