"""How an animatic is drawn: the page of a shot, its camera, its words."""
