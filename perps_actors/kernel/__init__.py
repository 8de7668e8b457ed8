"""What Pykka leaves out: inboxes with bounds, addresses that outlive their actor, time, supervision. Knows no markets."""
