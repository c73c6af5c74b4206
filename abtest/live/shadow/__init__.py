"""The challenger in shadow mode: in a process of its own, off the request's path."""
