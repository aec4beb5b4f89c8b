"""What AWS's services, and those that speak like them, want of a client: signatures, credentials, their documents.

All of it is pure. `credentials.py` is a conversation, as sinks are: it yields requests and is given the answers.
"""
