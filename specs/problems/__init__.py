"""What is wrong in a storyboard and where, and the phrases that messages share. Every room of `specs` may import it;
it imports nothing of ours.
"""
