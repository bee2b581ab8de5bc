"""The models of a finished film: subtitles, label, metadata, Content Credentials, deliverables and their codecs."""
