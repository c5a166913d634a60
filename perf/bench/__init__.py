"""What the gateway costs: it is held against no gateway at all, and against the least that can stand in its place."""
