"""The commands that edit a storyboard or its translations, or hand its cut to an editor and take it back."""
