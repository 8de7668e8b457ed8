"""Plain parts of the feed actors: connection pool, request scheduler, boards, subscribers."""
