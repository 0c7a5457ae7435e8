"""Lessons: what workers are told to do with one individual, and do."""
