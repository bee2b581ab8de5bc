"""How a run ends before its time, and what goes on with it: cancelling, handing over, picking up lost runs."""
