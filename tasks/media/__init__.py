"""ffmpeg and PyAV."""
