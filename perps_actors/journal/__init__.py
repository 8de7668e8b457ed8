"""The journal: durable events, readable while they are written, that survive `kill -9`."""
