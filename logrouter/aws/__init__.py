"""What AWS's services, and those that speak like them, want of a client: signatures, credentials, their documents.

All of it is pure. Much of it is conversations, as sinks are: they yield requests and are given the answers.
"""
