"""What a host program sees: the system, its readings and subscriptions, and how it is composed."""
