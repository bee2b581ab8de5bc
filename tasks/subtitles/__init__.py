"""Subtitles: what is said, broken into texts that read well (`breaking`), each with its frames (`cues`), as files
(`formats`). Imports `media.text` and `specs`; knows neither services nor Prefect.
"""
