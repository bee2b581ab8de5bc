"""What is seen in a clip that was paid for: it is decoded once and measured, and faults are named as findings. Imports
`media` and `providers`.
"""
