"""From a tree to checked models. For any kind of file: `messages` validates a tree with pydantic models, and makes
problems of their errors. For storyboards: `cascade` writes the defaults into each shot, `recovery` takes mistakes out,
`check` checks what needs several models. `reading` and the price file call it; imports `yaml`, `storyboard`, `cut`.
"""
