"""Server sides of venues, one folder each: what a simulated or recorded venue sends and answers."""
