"""The language: what a storyboard may say."""
