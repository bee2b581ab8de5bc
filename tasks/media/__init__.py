"""ffmpeg and PyAV: running, probing, single frames, text on pictures, and the house format. Imports `specs`; knows no
service, no ledger and no Prefect.
"""
