"""Fixtures of the crash tests: those of the end-to-end tests."""

from tests.e2e.conftest import port, workplace

__all__ = ["port", "workplace"]
